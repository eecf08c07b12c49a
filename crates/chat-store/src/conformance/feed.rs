//! The change feed: live, resumed and loaded afresh, a room is the same room.

use chat_types::event::{Change, Event, SeqChange};
use chat_types::id::{Epoch, MessageId, Number, RoomId, Seq, UserId};
use chat_types::limits::{MESSAGE_CHARS, REPLAY_BYTES};
use chat_types::room::Role;

use super::given::{
    Shared, UNREAD, at, deletion, edit, fresh, guest, head, join, message_of, new_message,
    nth_name, owned_room, pin, reaction, record, refused, resume, room, room_id, room_name, send,
    send_many, up_to, upgrade,
};
use super::model::Model;
use crate::{Conflict, Cursor, Missing, NewMessage, RoomUpdate, Start, StoreError};

pub async fn a_fresh_start_is_the_newest_page(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    for (count, tail, wanted, more) in [(0, 5, vec![], false), (5, 5, up_to(5), false)] {
        send_many(&store, room, mina, count).await;
        let start = store
            .snapshot(room, None, None, tail, 0)
            .await
            .unwrap()
            .unwrap()
            .start;
        assert_eq!(fresh_numbers(start), (wanted, more));
    }
    send_many(&store, room, mina, 3).await;
    let snapshot = store
        .snapshot(room, None, None, 5, 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(snapshot.record, record(&store, room).await);
    assert_eq!(fresh_numbers(snapshot.start), (vec![4, 5, 6, 7, 8], true));
    assert!(
        store
            .snapshot(room_id(), None, None, 5, 0)
            .await
            .unwrap()
            .is_none()
    );
}

fn fresh_numbers(start: Start) -> (Vec<u64>, bool) {
    match start {
        Start::Fresh {
            messages,
            more_before,
        } => (messages.iter().map(|m| m.number.0).collect(), more_before),
        Start::Resumed(changes) => panic!("resumed: {changes:?}"),
    }
}

fn resumed(start: Start) -> Vec<SeqChange> {
    match start {
        Start::Resumed(changes) => changes,
        Start::Fresh { .. } => panic!("not resumed"),
    }
}

pub async fn a_snapshot_shows_the_viewers_own_place(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "hello").await.sent.id;
    store.mark_read(room, mina, Number(1)).await.unwrap();
    store
        .set_reaction(reaction(room, id, mina, "👍", true))
        .await
        .unwrap();
    let own = store
        .snapshot(room, Some(mina), None, 5, 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (own.me.as_ref().unwrap().role, own.read),
        (Role::Owner, Number(1))
    );
    assert_eq!(own.members.listed, [own.me.unwrap()]);
    let Start::Fresh { messages, .. } = own.start else {
        panic!("not fresh");
    };
    assert!(messages[0].reactions[0].mine);
    let page = store
        .changes_after(room, Some(mina), Seq(2), 5)
        .await
        .unwrap();
    let Change::Message { message } = &page.changes[0].change else {
        panic!("not a message");
    };
    assert!(message.reactions[0].mine);
    let other = guest(&store, "jisu").await;
    let theirs = store
        .snapshot(room, Some(other), None, 5, 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((theirs.me, theirs.read), (None, UNREAD));
}

pub async fn a_snapshot_counts_all_members_and_lists_the_first(store: Shared) {
    let (_, room) = owned_room(&store).await;
    for n in 0..105 {
        let user = guest(&store, &nth_name(n)).await;
        join(&store, room, user, Role::Guest).await;
    }
    let members = fresh(&store, room).await.members;
    assert_eq!((members.count, members.listed.len()), (106, 100));
    assert_eq!(members.listed[0].role, Role::Owner);
    let first = store.members(room, None, 100).await.unwrap().members;
    assert_eq!(members.listed, first);
}

pub async fn a_cursor_of_another_history_or_of_the_future_starts_afresh(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 3).await;
    let stored = record(&store, room).await;
    let cursor = |epoch: &str, since| Cursor {
        epoch: Epoch(epoch.to_owned()),
        since: Seq(since),
    };
    let now = stored.head.0;
    for cursor in [
        cursor("other", now),
        cursor("first", now + 1),
        cursor("", 0),
    ] {
        let snapshot = store.snapshot(room, None, Some(cursor), 50, 500).await;
        let start = snapshot.unwrap().unwrap().start;
        assert_eq!(fresh_numbers(start), (up_to(3), false));
    }
    let snapshot = store
        .snapshot(room, None, Some(cursor("first", now)), 50, 500)
        .await;
    assert_eq!(resumed(snapshot.unwrap().unwrap().start), []);
}

pub async fn more_missed_changes_than_the_bound_start_afresh(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 4).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let update = RoomUpdate {
        read_only: Some(true),
        ..RoomUpdate::default()
    };
    store.update_room(room, update, at(10)).await.unwrap();
    // Since 1: four messages, one member, the room.
    assert_eq!(
        resumed(resume(&store, room, Seq(1), 6).await.start).len(),
        6
    );
    let start = resume(&store, room, Seq(1), 5).await.start;
    assert_eq!(fresh_numbers(start), (up_to(4), false));
    assert_eq!(
        resumed(resume(&store, room, Seq(2), 5).await.start).len(),
        5
    );
}

pub async fn more_missed_text_than_the_bound_starts_afresh(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let long = "\u{1f600}".repeat(MESSAGE_CHARS);
    let within = REPLAY_BYTES / long.len();
    for _ in 0..within {
        send(&store, room, mina, &long).await;
    }
    let changes = resumed(resume(&store, room, Seq(1), 500).await.start);
    assert_eq!(changes.len(), within);
    send(&store, room, mina, &long).await;
    let start = resume(&store, room, Seq(1), 500).await.start;
    assert!(matches!(start, Start::Fresh { .. }));
    let changes = resumed(resume(&store, room, Seq(2), 500).await.start);
    assert_eq!(changes.len(), within);
}

pub async fn a_resume_says_who_left(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let known = head(&store, room).await;
    let left = store.leave(room, jisu, at(60)).await.unwrap().unwrap();
    let wanted = SeqChange {
        seq: left.seq,
        change: left.change,
    };
    assert_eq!(
        resumed(resume(&store, room, known, 10).await.start),
        [wanted]
    );
}

pub async fn a_resume_costs_what_changed_not_what_happened(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "0").await.sent.id;
    let known = head(&store, room).await;
    for n in 1..=9 {
        store
            .edit_message(edit(room, id, mina, &n.to_string()))
            .await
            .unwrap();
    }
    let changes = resumed(resume(&store, room, known, 1).await.start);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].seq, head(&store, room).await);
}

/// A room, its users and its life so far, with a small generator of random numbers.
struct Walk {
    store: Shared,
    room: RoomId,
    owner: UserId,
    users: Vec<(UserId, bool)>,
    messages: Vec<MessageId>,
    state: u64,
    step: u64,
}

impl Walk {
    async fn begin(store: Shared, seed: u64) -> Self {
        let (owner, room) = owned_room(&store).await;
        let mut users = Vec::new();
        for n in 0..5 {
            users.push((guest(&store, &nth_name(n)).await, true));
        }
        Self {
            store,
            room,
            owner,
            users,
            messages: Vec::new(),
            state: seed,
            step: 0,
        }
    }

    /// A number below `bound` (`SplitMix64`).
    fn random(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % bound as u64).expect("it is below a usize")
    }

    fn user(&mut self) -> UserId {
        let n = self.random(self.users.len());
        self.users[n].0
    }

    fn message(&mut self) -> MessageId {
        let n = self.random(self.messages.len());
        self.messages[n]
    }

    /// Does one thing and returns what is to be published; refusals publish nothing.
    async fn act(&mut self) -> Vec<Event> {
        self.step += 1;
        let action = if self.messages.is_empty() {
            0
        } else {
            self.random(20)
        };
        match action {
            0..=5 => self.send().await,
            6..=8 => self.edit().await,
            9 => self.delete().await,
            10..=13 => self.react().await,
            14 => self.pin().await,
            15 => self.join().await,
            16 => self.leave().await,
            17 => self.set_role().await,
            18 => self.update_room().await,
            _ => self.upgrade().await,
        }
    }

    async fn send(&mut self) -> Vec<Event> {
        let mut new = new_message(self.room, self.user(), &format!("message {}", self.step));
        if !self.messages.is_empty() && self.random(3) == 0 {
            new.reply_to = Some(self.message());
        }
        new.at = at(1_000 + self.step);
        let id = new.id;
        match self.store.append(new).await {
            Ok(appended) => {
                self.messages.push(id);
                appended.events
            }
            Err(StoreError::Conflict(Conflict::ReadOnly)) => Vec::new(),
            Err(error) => panic!("a message was refused: {error}"),
        }
    }

    async fn edit(&mut self) -> Vec<Event> {
        let edit = edit(
            self.room,
            self.message(),
            self.users[0].0,
            &format!("edited {}", self.step % 3),
        );
        maybe(self.store.edit_message(edit).await)
    }

    async fn delete(&mut self) -> Vec<Event> {
        let mut deletion = deletion(self.room, self.message(), self.users[0].0);
        deletion.by_moderator = self.random(2) == 0;
        maybe(self.store.delete_message(deletion).await)
    }

    async fn react(&mut self) -> Vec<Event> {
        let emoji = ["👍", "🎉", "❤️"][self.random(3)];
        let on = self.random(3) > 0;
        let reaction = reaction(self.room, self.message(), self.user(), emoji, on);
        maybe(self.store.set_reaction(reaction).await)
    }

    async fn pin(&mut self) -> Vec<Event> {
        let on = self.random(2) == 0;
        let pin = pin(self.room, self.message(), self.users[0].0, on);
        maybe(self.store.set_pin(pin).await)
    }

    async fn join(&mut self) -> Vec<Event> {
        let user = self.user();
        let joined = join(&self.store, self.room, user, Role::Guest).await;
        joined.event.into_iter().collect()
    }

    async fn leave(&mut self) -> Vec<Event> {
        let user = self.user();
        maybe(self.store.leave(self.room, user, at(2_000)).await)
    }

    async fn set_role(&mut self) -> Vec<Event> {
        let role = [Role::Guest, Role::Member, Role::Moderator][self.random(3)];
        let user = self.user();
        maybe(self.store.set_role(self.room, user, role, at(2_000)).await)
    }

    async fn update_room(&mut self) -> Vec<Event> {
        let update = RoomUpdate {
            name: Some(room_name(["Hall", "Porch", "Yard"][self.random(3)])),
            // Seldom: most of what follows would be refused.
            read_only: Some(self.random(6) == 0),
            ..RoomUpdate::default()
        };
        maybe(self.store.update_room(self.room, update, at(2_000)).await)
    }

    /// Upgrades a guest who is a member. (One who left announces nothing here: who is no member
    /// has no row to change.)
    async fn upgrade(&mut self) -> Vec<Event> {
        let n = self.random(self.users.len());
        let (user, is_guest) = self.users[n];
        let is_member = self
            .store
            .membership(self.room, user)
            .await
            .unwrap()
            .is_some();
        if !is_guest || !is_member {
            return Vec::new();
        }
        self.users[n].1 = false;
        let name = format!("{}-new", nth_name(n));
        let upgrade = upgrade(user, &name, &[&name]);
        self.store.upgrade_guest(upgrade).await.unwrap().events
    }
}

fn maybe(result: crate::Result<Option<Event>>) -> Vec<Event> {
    result.into_iter().flatten().collect()
}

/// Walks, checks that live events lead to what a load shows, and returns the reader's state at
/// every head.
async fn walk(store: Shared, seed: u64, steps: usize) -> (Walk, Vec<Model>) {
    let mut walk = Walk::begin(store, seed).await;
    let mut model = Model::load(&walk.store, walk.room).await;
    let mut states = vec![model.clone()];
    for _ in 0..steps {
        for event in walk.act().await {
            model.apply_live(event);
            states.push(model.clone());
        }
        let loaded = Model::load(&walk.store, walk.room).await;
        assert_eq!(model, loaded, "seed {seed}, step {}", walk.step);
    }
    (walk, states)
}

pub async fn live_events_lead_to_what_a_fresh_load_shows(store: Shared) {
    let (walk, states) = walk(store, 1, 200).await;
    assert!(states.len() > 100, "most steps change something");
    assert!(
        walk.users.iter().any(|(_, is_guest)| !is_guest),
        "somebody was upgraded"
    );
    assert!(
        states
            .iter()
            .all(|state| state.members.contains_key(&walk.owner))
    );
}

pub async fn a_resume_from_any_earlier_head_leads_to_what_a_fresh_load_shows(store: Shared) {
    let (walk, states) = walk(store, 2, 150).await;
    let loaded = Model::load(&walk.store, walk.room).await;
    for mut state in states {
        let since = state.head;
        let snapshot = resume(&walk.store, walk.room, since, 10_000).await;
        state.apply_resume(resumed(snapshot.start), snapshot.record.head);
        assert_eq!(state, loaded, "since {since}");
    }
}

pub async fn pages_of_missed_changes_from_any_earlier_head_do_the_same(store: Shared) {
    let (walk, states) = walk(store, 3, 100).await;
    let loaded = Model::load(&walk.store, walk.room).await;
    for mut state in states {
        let since = state.head;
        loop {
            let page = walk
                .store
                .changes_after(walk.room, None, state.head, 3)
                .await
                .unwrap();
            assert!(page.changes.len() <= 3 && page.head == loaded.head);
            state.apply_resume(page.changes, page.upto);
            if !page.more {
                break;
            }
        }
        assert_eq!(state, loaded, "since {since}");
    }
}

pub async fn a_resume_in_the_middle_of_a_life_leads_to_the_same_room(store: Shared) {
    let (mut walk, states) = walk(store, 4, 60).await;
    let mut readers = states;
    for _ in 0..40 {
        walk.act().await;
        let n = walk.random(readers.len());
        let reader = &mut readers[n];
        let snapshot = resume(&walk.store, walk.room, reader.head, 10_000).await;
        reader.apply_resume(resumed(snapshot.start), snapshot.record.head);
        assert_eq!(*reader, Model::load(&walk.store, walk.room).await);
    }
}

pub async fn a_snapshot_under_concurrent_writes_is_of_one_instant(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move { send_many(&store, room, mina, 150).await }
    });
    let mut heads = Vec::new();
    while heads.last() != Some(&Seq(151)) {
        let snapshot = fresh(&store, room).await;
        let Start::Fresh { messages, .. } = snapshot.start else {
            panic!("not fresh");
        };
        let last = messages
            .last()
            .map_or((Seq(1), Number(0)), |m| (m.seq, m.number));
        assert_eq!((snapshot.record.head, snapshot.record.last_number), last);
        assert_eq!(messages.len() as u64, snapshot.record.last_number.0);
        heads.push(snapshot.record.head);
    }
    writer.await.unwrap();
    assert!(heads.is_sorted(), "later reads see no earlier room");
}

pub async fn missed_changes_are_read_to_the_end_under_concurrent_writes(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { send_many(&store, room, mina, 40).await })
        })
        .collect();
    let (mut seen, mut after) = (Vec::new(), Seq(1));
    while seen.len() < 160 {
        let page = store.changes_after(room, None, after, 7).await.unwrap();
        assert!(page.upto >= after && page.upto <= page.head);
        assert_eq!(page.more, page.upto < page.head);
        seen.extend(page.changes.iter().map(|change| change.seq.0));
        after = page.upto;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let wanted: Vec<u64> = (2..=161).collect();
    assert_eq!(seen, wanted);
}

pub async fn beyond_the_head_nothing_is_missed(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 2).await;
    for after in [3, 4, u64::MAX] {
        let page = store
            .changes_after(room, None, Seq(after), 5)
            .await
            .unwrap();
        assert_eq!((page.changes, page.more), (vec![], false));
        assert_eq!((page.upto, page.head), (Seq(3), Seq(3)));
        assert_eq!(page.epoch, record(&store, room).await.epoch);
    }
    refused(
        store.changes_after(room_id(), None, Seq(0), 5).await,
        Missing::Room,
    );
}

pub async fn heads_are_of_the_rooms_that_exist(store: Shared) {
    let (mina, first) = owned_room(&store).await;
    let second = room(&store, mina).await;
    room(&store, mina).await;
    send_many(&store, second, mina, 3).await;
    let mut heads = store.heads(&[first, room_id(), second]).await.unwrap();
    heads.sort();
    let mut wanted = vec![(first, Seq(1)), (second, Seq(4))];
    wanted.sort();
    assert_eq!(heads, wanted);
    assert_eq!(store.heads(&[]).await.unwrap(), []);
}

pub async fn refused_writes_take_no_place(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let before = Model::load(&store, room).await;
    let mut bad = new_message(room, mina, "hi");
    bad.reply_to = Some(super::given::message_id());
    refused(store.append(bad).await, Missing::Message);
    let edit = edit(room, super::given::message_id(), mina, "x");
    refused(store.edit_message(edit).await, Missing::Message);
    assert_eq!(Model::load(&store, room).await, before);
    let good = NewMessage {
        ..new_message(room, mina, "hi")
    };
    let event = store.append(good).await.unwrap().events.remove(0);
    assert_eq!((event.seq, message_of(&event).number), (Seq(2), Number(1)));
}
