//! Logins and their refresh tokens.

use chat_types::limits::SESSIONS_PER_USER;
use chat_types::time::Timestamp;

use super::given::{
    Shared, account, at, at_once, guest, new_session, refused, session_id, token, user_id,
};
use crate::{
    Begun, Conflict, FORGOTTEN_PER_ROTATION, Missing, NewSession, RotateRefresh, Rotation,
    SessionRecord, TokenHash,
};

fn rotate(presented: TokenHash, successor: TokenHash, now: Timestamp) -> RotateRefresh {
    RotateRefresh {
        presented,
        successor,
        other_successor: None,
        at: now,
        expires_at: at(2_000_000),
        forget_used_before: at(0),
    }
}

async fn rotated(store: &Shared, from: u8, to: u8, now: Timestamp) -> SessionRecord {
    let rotation = store
        .rotate_refresh(rotate(token(from), token(to), now))
        .await;
    match rotation.unwrap() {
        Rotation::Rotated {
            session,
            by_other_key,
        } => {
            assert!(!by_other_key, "there was one key");
            session
        }
        other => panic!("not rotated: {other:?}"),
    }
}

async fn reused(store: &Shared, from: u8, to: u8, now: Timestamp) -> SessionRecord {
    let rotation = store
        .rotate_refresh(rotate(token(from), token(to), now))
        .await;
    match rotation.unwrap() {
        Rotation::Reused(record) => record,
        other => panic!("not noticed: {other:?}"),
    }
}

async fn unknown(store: &Shared, from: u8, to: u8, now: Timestamp) {
    let rotation = store
        .rotate_refresh(rotate(token(from), token(to), now))
        .await;
    assert_eq!(rotation.unwrap(), Rotation::Unknown);
}

/// A session with the first token 1.
async fn session(store: &Shared) -> SessionRecord {
    let user = guest(store, "mina").await;
    store
        .create_session(new_session(user, token(1)))
        .await
        .unwrap()
        .session
}

pub async fn a_session_is_stored_as_made(store: Shared) {
    let made = session(&store).await;
    assert_eq!(made.device, "Firefox on Linux");
    assert_eq!((made.created_at, made.last_used_at), (at(0), at(0)));
    assert_eq!((made.expires_at, made.revoked_at), (at(1_000_000), None));
    assert_eq!(store.session(made.id).await.unwrap(), Some(made));
    assert_eq!(store.session(session_id()).await.unwrap(), None);
}

pub async fn a_session_needs_a_user_and_an_id_of_its_own(store: Shared) {
    let first = session(&store).await;
    refused(
        store.create_session(new_session(user_id(), token(2))).await,
        Missing::User,
    );
    let mut second = new_session(first.user, token(2));
    second.id = first.id;
    refused(store.create_session(second).await, Conflict::IdExists);
}

pub async fn a_rotation_extends_the_session(store: Shared) {
    let made = session(&store).await;
    let record = rotated(&store, 1, 2, at(10)).await;
    let wanted = SessionRecord {
        last_used_at: at(10),
        expires_at: at(2_000_000),
        ..made
    };
    assert_eq!(record, wanted);
    assert_eq!(store.session(record.id).await.unwrap(), Some(wanted));
    rotated(&store, 2, 3, at(20)).await;
}

pub async fn a_retry_at_any_time_gets_the_same_successor(store: Shared) {
    let made = session(&store).await;
    for now in [10, 11, 40_000, 999_999] {
        assert_eq!(rotated(&store, 1, 2, at(now)).await.id, made.id);
    }
    rotated(&store, 2, 3, at(1_000_000)).await;
}

pub async fn a_retry_after_a_change_of_the_key_gets_the_same_successor(store: Shared) {
    session(&store).await;
    rotated(&store, 1, 2, at(10)).await;
    let retry = RotateRefresh {
        other_successor: Some(token(2)),
        ..rotate(token(1), token(9), at(11))
    };
    let rotation = store.rotate_refresh(retry).await.unwrap();
    assert!(matches!(
        rotation,
        Rotation::Rotated {
            by_other_key: true,
            ..
        }
    ));
    rotated(&store, 2, 3, at(12)).await;
}

pub async fn a_hundred_parallel_rotations_have_one_successor(store: Shared) {
    let made = session(&store).await;
    let rotations = at_once(100, |_| {
        let store = store.clone();
        async move { rotated(&store, 1, 2, at(10)).await.id }
    })
    .await;
    assert_eq!(rotations, vec![made.id; 100]);
    rotated(&store, 2, 3, at(20)).await;
}

pub async fn a_predecessor_is_reused_once_its_successor_was_used(store: Shared) {
    session(&store).await;
    rotated(&store, 1, 2, at(10)).await;
    rotated(&store, 2, 3, at(11)).await;
    let record = reused(&store, 1, 2, at(12)).await;
    assert_eq!(record.revoked_at, Some(at(12)));
    assert_eq!(store.session(record.id).await.unwrap(), Some(record));
    for n in 1..=3 {
        unknown(&store, n, n + 1, at(13)).await;
    }
}

async fn rotated_and_forgot(store: &Shared, from: u8, now: u64, before: u64) {
    let rotate = RotateRefresh {
        forget_used_before: at(before),
        ..rotate(token(from), token(from + 1), at(now))
    };
    let rotation = store.rotate_refresh(rotate).await.unwrap();
    assert!(matches!(rotation, Rotation::Rotated { .. }));
}

pub async fn a_rotation_forgets_old_tokens_and_not_the_one_presented(store: Shared) {
    let made = session(&store).await;
    let other = store.create_session(new_session(made.user, token(50)));
    other.await.unwrap();
    rotated(&store, 50, 51, at(10)).await;
    rotated(&store, 51, 52, at(10)).await;
    for n in 1..=3 {
        rotated(&store, n, n + 1, at(u64::from(n) * 10)).await;
    }
    rotated_and_forgot(&store, 4, 40, 30).await;
    for forgotten in [1, 2] {
        unknown(&store, forgotten, forgotten + 1, at(41)).await;
    }
    // A lost answer is given again, however old the token of the question is.
    rotated_and_forgot(&store, 5, 50, 1_000).await;
    assert_eq!(rotated(&store, 5, 6, at(51)).await.id, made.id);
    rotated(&store, 6, 7, at(52)).await;
    // Reuse of one that is kept is still noticed, and other sessions keep theirs.
    reused(&store, 5, 6, at(53)).await;
    reused(&store, 50, 51, at(54)).await;
}

pub async fn a_rotation_forgets_no_more_than_a_few_tokens(store: Shared) {
    let few = u8::try_from(FORGOTTEN_PER_ROTATION).unwrap();
    session(&store).await;
    for n in 1..=few + 1 {
        rotated(&store, n, n + 1, at(u64::from(n))).await;
    }
    rotated_and_forgot(&store, few + 2, 100, 100).await;
    unknown(&store, few, few + 1, at(101)).await;
    reused(&store, few + 1, few + 2, at(102)).await;
}

pub async fn any_older_token_revokes_the_family(store: Shared) {
    session(&store).await;
    for n in 1..=4 {
        rotated(&store, n, n + 1, at(10 + u64::from(n))).await;
    }
    reused(&store, 2, 3, at(20)).await;
    unknown(&store, 5, 6, at(21)).await;
}

pub async fn a_retry_for_another_successor_is_reuse(store: Shared) {
    session(&store).await;
    rotated(&store, 1, 2, at(10)).await;
    reused(&store, 1, 9, at(11)).await;
    unknown(&store, 9, 10, at(12)).await;
}

pub async fn an_unknown_ended_or_revoked_token_is_unknown(store: Shared) {
    let made = session(&store).await;
    unknown(&store, 7, 8, at(10)).await;
    unknown(&store, 1, 2, made.expires_at).await;
    assert!(
        store
            .revoke_session(made.user, made.id, at(10))
            .await
            .unwrap()
    );
    unknown(&store, 1, 2, at(11)).await;
}

pub async fn live_sessions_are_listed_newest_use_first(store: Shared) {
    let first = session(&store).await;
    let mut others = Vec::new();
    for n in 2..=4 {
        let new = new_session(first.user, token(n * 10));
        others.push(store.create_session(new).await.unwrap().session);
    }
    rotated(&store, 1, 2, at(50)).await;
    rotated(&store, 30, 31, at(60)).await;
    store
        .revoke_session(first.user, others[0].id, at(61))
        .await
        .unwrap();
    let listed = store.sessions_of(first.user, at(62)).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|session| session.id).collect();
    assert_eq!(ids, [others[1].id, first.id, others[2].id]);
    let later = store.sessions_of(first.user, at(1_000_000)).await.unwrap();
    let ids: Vec<_> = later.iter().map(|session| session.id).collect();
    assert_eq!(
        ids,
        [others[1].id, first.id],
        "sessions that ended are not listed"
    );
}

pub async fn a_session_is_revoked_once_and_only_by_its_user(store: Shared) {
    let made = session(&store).await;
    let other = guest(&store, "jisu").await;
    assert!(!store.revoke_session(other, made.id, at(10)).await.unwrap());
    assert!(
        store
            .revoke_session(made.user, made.id, at(11))
            .await
            .unwrap()
    );
    assert!(
        !store
            .revoke_session(made.user, made.id, at(12))
            .await
            .unwrap()
    );
    let stored = store.session(made.id).await.unwrap().unwrap();
    assert_eq!(stored.revoked_at, Some(at(11)));
    assert!(!stored.is_live(at(12)));
}

pub async fn all_sessions_but_one_are_revoked(store: Shared) {
    let kept = session(&store).await;
    let second = store
        .create_session(new_session(kept.user, token(20)))
        .await
        .unwrap()
        .session;
    let third = store
        .create_session(new_session(kept.user, token(30)))
        .await
        .unwrap()
        .session;
    let dead = store
        .create_session(new_session(kept.user, token(40)))
        .await
        .unwrap()
        .session;
    let other = guest(&store, "jisu").await;
    let foreign = store
        .create_session(new_session(other, token(50)))
        .await
        .unwrap()
        .session;
    store
        .revoke_session(kept.user, dead.id, at(1))
        .await
        .unwrap();
    let mut revoked = store
        .revoke_sessions(kept.user, Some(kept.id), at(2))
        .await
        .unwrap();
    let mut wanted = vec![second.id, third.id];
    revoked.sort();
    wanted.sort();
    assert_eq!(revoked, wanted);
    assert!(
        store
            .session(foreign.id)
            .await
            .unwrap()
            .unwrap()
            .is_live(at(3))
    );
    let last = store.revoke_sessions(kept.user, None, at(4)).await.unwrap();
    assert_eq!(last, [kept.id]);
}

pub async fn of_many_sessions_those_that_live_are_told(store: Shared) {
    let user = guest(&store, "jisu").await;
    let mut ids = Vec::new();
    for n in 1..=3 {
        let new = new_session(user, TokenHash([n; 32]));
        ids.push(store.create_session(new).await.unwrap().session);
    }
    let unknown = new_session(user, TokenHash([9; 32])).id;
    store.revoke_session(user, ids[1].id, at(2)).await.unwrap();
    let asked = [ids[0].id, ids[1].id, ids[2].id, unknown];
    let mut live = store.live_sessions(&asked, at(3)).await.unwrap();
    live.sort();
    let mut wanted = vec![ids[0].id, ids[2].id];
    wanted.sort();
    assert_eq!(live, wanted);
    let end = ids[0].expires_at;
    assert_eq!(store.live_sessions(&asked, end).await.unwrap(), []);
    assert_eq!(store.live_sessions(&[], at(3)).await.unwrap(), []);
}

pub async fn the_users_of_live_sessions_are_told(store: Shared) {
    let (jisu, mina) = (guest(&store, "jisu").await, account(&store, "mina").await);
    let mut ids = Vec::new();
    for (user, n) in [(jisu, 1), (jisu, 2), (mina, 3)] {
        let new = new_session(user, TokenHash([n; 32]));
        ids.push(store.create_session(new).await.unwrap().session);
    }
    let unknown = new_session(jisu, TokenHash([9; 32])).id;
    store.revoke_session(jisu, ids[1].id, at(2)).await.unwrap();
    let asked = [ids[0].id, ids[1].id, ids[2].id, unknown];
    let mut users = store.users_of(&asked, at(3)).await.unwrap();
    users.sort_by_key(|(session, _)| *session);
    let user = async |id| store.user(id).await.unwrap().unwrap();
    let mut wanted = vec![(ids[0].id, user(jisu).await), (ids[2].id, user(mina).await)];
    wanted.sort_by_key(|(session, _)| *session);
    assert_eq!(users, wanted);
    let end = ids[0].expires_at;
    assert_eq!(store.users_of(&asked, end).await.unwrap(), []);
    assert_eq!(store.users_of(&[], at(3)).await.unwrap(), []);
}

pub async fn one_more_session_than_the_limit_ends_the_one_used_longest_ago(store: Shared) {
    let user = guest(&store, "jisu").await;
    let begin = async |n: u64| {
        let new = NewSession {
            at: at(n),
            ..new_session(user, TokenHash([u8::try_from(n).unwrap(); 32]))
        };
        store.create_session(new).await.unwrap()
    };
    let mut made = Vec::new();
    for n in 1..=SESSIONS_PER_USER as u64 {
        let Begun { session, ended } = begin(n).await;
        assert_eq!(ended, []);
        made.push(session.id);
    }
    // The first was used again since, so the second is the one.
    rotated(&store, 1, 200, at(100)).await;
    assert_eq!(begin(101).await.ended, [made[1]]);
    let live = store.sessions_of(user, at(102)).await.unwrap();
    assert_eq!(live.len(), SESSIONS_PER_USER);
    assert!(live.iter().all(|session| session.id != made[1]));
    let ended = store.session(made[1]).await.unwrap().unwrap();
    assert_eq!(ended.revoked_at, Some(at(101)));
    store.revoke_session(user, made[2], at(103)).await.unwrap();
    assert_eq!(begin(104).await.ended, [], "one had been revoked");
}
