//! The suite that every store must pass: the promises of the traits and of the change feed, each a
//! function whose name says it.
//!
//! A store crate implements [`Harness`] for each way in which it can be opened, and in its tests
//! calls [`conformance_suite!`](crate::conformance_suite) and, where data outlives the store
//! ([`Reopen`]), [`durability_suite!`](crate::durability_suite): each property becomes a test of
//! that store.

// A property is a test that has to live outside of `cfg(test)`, because another crate runs it.
#![expect(
    clippy::unwrap_used,
    reason = "a property fails by panicking, and its name says what did not hold"
)]

use std::sync::Arc;

use crate::Store;

#[doc(hidden)]
pub mod durability;
#[doc(hidden)]
pub mod feed;
mod given;
#[doc(hidden)]
pub mod memberships;
#[doc(hidden)]
pub mod messages;
mod model;
#[doc(hidden)]
pub mod purge;
#[doc(hidden)]
pub mod rooms;
#[doc(hidden)]
pub mod sessions;
#[doc(hidden)]
pub mod sites;
#[doc(hidden)]
pub mod users;
#[doc(hidden)]
pub mod writing;

/// Makes stores for the suite.
#[async_trait::async_trait]
pub trait Harness: Sized + Send + Sync {
    /// An empty store.
    async fn fresh() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn Store>;
}

/// A harness whose data outlives the store.
#[async_trait::async_trait]
pub trait Reopen: Harness {
    /// Drops the store without closing it and opens the same data again. The property has dropped
    /// its own handles.
    async fn reopen(self) -> Self;
}

/// Turns every property into a test of the stores that a [`Harness`] makes.
#[macro_export]
macro_rules! conformance_suite {
    ($harness:ty) => {
        $crate::conformance_tests! { $harness;
            users: a_guest_is_stored_as_made
            users: a_guest_takes_the_first_name_that_is_free
            users: names_that_look_alike_clash
            users: a_refused_guest_is_not_stored
            users: guests_who_come_at_once_never_share_a_name
            users: a_user_id_is_used_once
            users: an_account_signs_in_with_its_username
            users: a_username_belongs_to_one_account
            users: a_password_hash_is_replaced
            users: a_new_password_ends_every_session_but_one
            users: a_guest_has_no_password
            users: an_upgraded_guest_keeps_messages_and_sessions
            users: an_upgrade_is_a_change_of_each_room_of_the_user
            users: a_refused_upgrade_changes_nothing
            users: only_a_guest_is_upgraded
            users: an_upgrade_may_change_how_the_own_name_is_written
            users: messages_show_their_author_as_named_now
            sessions: a_session_is_stored_as_made
            sessions: a_session_needs_a_user_and_an_id_of_its_own
            sessions: a_rotation_extends_the_session
            sessions: a_retry_at_any_time_gets_the_same_successor
            sessions: a_retry_after_a_change_of_the_key_gets_the_same_successor
            sessions: a_hundred_parallel_rotations_have_one_successor
            sessions: a_predecessor_is_reused_once_its_successor_was_used
            sessions: a_rotation_forgets_old_tokens_and_not_the_one_presented
            sessions: a_rotation_forgets_no_more_than_a_few_tokens
            sessions: any_older_token_revokes_the_family
            sessions: a_retry_for_another_successor_is_reuse
            sessions: an_unknown_ended_or_revoked_token_is_unknown
            sessions: live_sessions_are_listed_newest_use_first
            sessions: a_session_is_revoked_once_and_only_by_its_user
            sessions: all_sessions_but_one_are_revoked
            sessions: of_many_sessions_those_that_live_are_told
            sessions: the_users_of_live_sessions_are_told
            sessions: one_more_session_than_the_limit_ends_the_one_used_longest_ago
            sites: a_site_is_stored_and_its_origins_replaced
            sites: a_site_that_is_not_retained_is_unknown_and_its_rooms_stay
            rooms: a_room_begins_with_its_owner_as_the_first_change
            rooms: a_room_needs_an_owner_and_an_id_of_its_own
            rooms: the_first_room_is_made_once_and_only_in_an_empty_store
            rooms: an_archived_first_room_is_not_made_again
            rooms: each_page_has_one_room_of_its_own
            rooms: pages_never_share_messages
            rooms: first_visits_at_once_make_one_room
            rooms: a_page_needs_its_site
            rooms: two_users_have_one_direct_room_in_either_order
            rooms: a_direct_room_opened_at_once_from_both_sides_is_one
            rooms: a_direct_room_needs_two_users
            rooms: an_update_changes_what_it_names
            rooms: an_update_that_changes_nothing_takes_no_seq
            rooms: a_summary_is_the_viewers_own
            rooms: own_rooms_are_listed_newest_activity_first
            rooms: only_public_rooms_in_use_are_public
            rooms: pages_of_rooms_neither_skip_nor_repeat
            rooms: a_full_last_page_of_rooms_has_no_next
            rooms: a_foreign_cursor_of_rooms_yields_the_first_page
            memberships: joining_is_a_change_and_happens_once
            memberships: places_are_each_their_users_own_in_the_order_asked
            memberships: joining_at_once_makes_one_member
            memberships: joining_needs_a_room_and_a_user
            memberships: leaving_is_a_change_and_messages_stay
            memberships: who_returns_is_a_new_member_who_has_read_as_far_as_before
            memberships: a_role_changes_once
            memberships: reading_begins_at_the_newest_message
            memberships: a_read_position_moves_forward_to_the_newest_message_at_most
            memberships: an_own_message_is_read_when_all_before_it_was
            memberships: own_messages_that_are_queued_together_are_read_as_one_by_one
            memberships: read_positions_set_at_once_end_at_the_furthest
            memberships: one_more_room_than_the_limit_is_refused
            memberships: members_are_listed_by_role_then_time_then_id
            memberships: an_invite_leads_to_its_room_until_it_ends
            messages: an_acknowledged_message_is_what_a_load_shows
            messages: places_and_numbers_are_contiguous_under_concurrent_writers
            messages: messages_are_numbered_in_the_order_of_the_calls
            messages: a_repeat_returns_the_first_acknowledgement_and_takes_nothing
            messages: repeats_at_once_are_stored_once
            messages: a_client_id_is_of_one_author_in_one_room
            messages: a_client_id_used_for_another_message_is_a_conflict
            messages: a_repeat_after_an_edit_or_a_deletion_is_still_a_repeat
            messages: one_bad_message_does_not_fail_its_neighbours
            messages: what_is_queued_together_is_what_one_by_one_would_be
            messages: a_first_message_makes_its_author_a_member
            messages: a_message_needs_what_it_refers_to
            messages: an_edit_replaces_the_text
            messages: a_tombstone_holds_nothing
            messages: a_deleted_message_is_not_changed
            messages: an_unknown_message_is_not_changed
            messages: an_answer_shows_the_beginning_of_the_text_as_it_is_now
            messages: reactions_are_counted_in_the_order_of_first_use
            messages: a_reaction_that_is_so_already_takes_no_seq
            messages: one_more_kind_of_emoji_than_the_limit_is_refused
            messages: who_reacted_is_told_once_and_up_to_the_limit
            messages: a_pin_is_set_and_taken_away
            messages: history_pages_meet_without_overlap_or_gap
            messages: history_around_a_message_has_both_sides
            messages: history_beyond_the_ends_is_empty_or_the_nearest
            messages: history_is_of_one_room_with_its_tombstones
            writing: who_left_a_private_room_does_not_write_in_it_and_stays_outside
            writing: a_direct_room_is_of_its_two_users
            writing: leaving_and_writing_at_once_never_leaves_a_member_behind
            writing: an_archived_room_takes_no_message_edit_or_reaction
            writing: a_read_only_room_takes_only_what_its_moderators_write
            writing: a_repeat_is_answered_whatever_became_of_the_room_and_the_membership
            writing: a_repeat_is_known_before_it_is_written
            purge: a_guest_who_did_nothing_goes_with_their_last_session
            purge: who_left_a_trace_stays_when_their_sessions_go
            purge: an_invite_goes_once_it_ended
            purge: an_empty_page_goes_and_one_where_anything_happened_stays
            purge: an_empty_page_that_is_visited_stays
            purge: an_empty_page_that_is_open_on_one_node_outlives_the_purges_of_another
            purge: a_purge_takes_no_more_than_its_limit_and_says_so
            purge: a_session_with_more_tokens_than_the_limit_goes_in_parts
            feed: a_fresh_start_is_the_newest_page
            feed: a_snapshot_shows_the_viewers_own_place
            feed: a_snapshot_counts_all_members_and_lists_the_first
            feed: a_cursor_of_another_history_or_of_the_future_starts_afresh
            feed: more_missed_changes_than_the_bound_start_afresh
            feed: more_missed_text_than_the_bound_starts_afresh
            feed: a_resume_says_who_left
            feed: a_resume_costs_what_changed_not_what_happened
            feed: live_events_lead_to_what_a_fresh_load_shows
            feed: a_resume_from_any_earlier_head_leads_to_what_a_fresh_load_shows
            feed: pages_of_missed_changes_from_any_earlier_head_do_the_same
            feed: a_resume_in_the_middle_of_a_life_leads_to_the_same_room
            feed: a_snapshot_under_concurrent_writes_is_of_one_instant
            feed: missed_changes_are_read_to_the_end_under_concurrent_writes
            feed: beyond_the_head_nothing_is_missed
            feed: heads_are_of_the_rooms_that_exist
            feed: refused_writes_take_no_place
        }
        $crate::lifetime_tests! { $harness;
            an_open_store_is_ready
            a_closed_store_refuses_everything
        }
    };
}

/// Turns every property of data that outlives its store into a test of a [`Reopen`] harness.
#[macro_export]
macro_rules! durability_suite {
    ($harness:ty) => {
        $crate::lifetime_tests! { $harness;
            closing_finishes_the_writes_under_way
            what_was_acknowledged_is_there_after_a_drop_without_close
            a_repeat_after_reopening_is_still_a_repeat
            a_session_survives_reopening
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($harness:ty; $($feature:ident: $property:ident)*) => {$(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $property() {
            use $crate::conformance::Harness;
            let harness = <$harness>::fresh().await;
            $crate::conformance::$feature::$property(harness.store()).await;
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! lifetime_tests {
    ($harness:ty; $($property:ident)*) => {$(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $property() {
            $crate::conformance::durability::$property::<$harness>().await;
        }
    )*};
}

#[cfg(test)]
mod tests {
    /// A property that no list names would run nowhere.
    #[test]
    fn every_property_is_in_a_suite() {
        let suite = include_str!("mod.rs");
        let files = [
            include_str!("users.rs"),
            include_str!("sessions.rs"),
            include_str!("sites.rs"),
            include_str!("rooms.rs"),
            include_str!("purge.rs"),
            include_str!("memberships.rs"),
            include_str!("messages.rs"),
            include_str!("writing.rs"),
            include_str!("feed.rs"),
            include_str!("durability.rs"),
        ];
        let mut properties = 0;
        for line in files.iter().flat_map(|file| file.lines()) {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = rest.split(['(', '<']).next().unwrap();
            let listed = |l: &str| l.trim().rsplit(": ").next() == Some(name);
            assert!(suite.lines().any(listed), "{name} runs nowhere");
            properties += 1;
        }
        assert!(properties > 90, "only {properties} were found");
    }
}
