//! Messages: append exactly once, change, page through.

use chat_types::event::{Change, Content, Message};
use chat_types::id::{Number, RoomId, Seq};
use chat_types::limits::REACTIONS_PER_MESSAGE;
use chat_types::room::{Role, RoomKind, Sent};

use super::given::{
    Refusal, Shared, account, at, at_once, deletion, edit, emoji, guest, head, join, load,
    message_id, message_of, new_message, new_room, nth_name, numbers, owned_room, pin, reaction,
    record, refused, room, room_id, send, send_many, up_to, user_id,
};
use crate::{Appended, Conflict, HistoryFrom, Missing, NewMessage};

pub async fn an_acknowledged_message_is_what_a_load_shows(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "안녕하세요\n<b>hi</b> 👋");
    let Appended { sent, events } = store.append(new.clone()).await.unwrap();
    let wanted = Sent {
        id: new.id,
        seq: Seq(2),
        number: Number(1),
        at: new.at,
        duplicate: false,
    };
    assert_eq!(sent, wanted);
    let [event] = &events[..] else {
        panic!("not one event: {events:?}");
    };
    assert_eq!((event.room, event.seq, event.at), (room, Seq(2), new.at));
    let message = load(&store, room, new.id).await;
    assert_eq!(message_of(event), &message);
    assert_eq!(
        (message.number, message.seq, message.client_id),
        (Number(1), Seq(2), new.client_id)
    );
    assert_eq!(
        message.author,
        store.user(mina).await.unwrap().unwrap().to_user()
    );
    let body = new.body.to_string();
    assert_eq!(message.content, Content::Text { body });
    assert_eq!(
        (message.sent_at, message.edited_at, message.reply_to),
        (new.at, None, None)
    );
    assert!(!message.pinned && message.reactions.is_empty());
    let stored = record(&store, room).await;
    assert_eq!((stored.head, stored.last_number), (Seq(2), Number(1)));
}

pub async fn places_and_numbers_are_contiguous_under_concurrent_writers(store: Shared) {
    const WRITERS: usize = 6;
    const EACH: usize = 12;
    let (mina, first) = owned_room(&store).await;
    let rooms = [first, room(&store, mina).await, room(&store, mina).await];
    let sent = at_once(WRITERS * rooms.len(), |n| {
        let (store, room) = (store.clone(), rooms[n % rooms.len()]);
        async move {
            let mut sent = Vec::new();
            for _ in 0..EACH {
                sent.push((room, send(&store, room, mina, "hello").await.sent));
            }
            assert!(
                sent.windows(2)
                    .all(|pair| pair[0].1.number < pair[1].1.number)
            );
            sent
        }
    })
    .await;
    let all: Vec<(RoomId, Sent)> = sent.into_iter().flatten().collect();
    for room in rooms {
        let mut places: Vec<(u64, u64)> = all
            .iter()
            .filter(|(of, _)| *of == room)
            .map(|(_, sent)| (sent.number.0, sent.seq.0))
            .collect();
        places.sort_unstable();
        let count = (WRITERS * EACH) as u64;
        let wanted: Vec<(u64, u64)> = (1..=count).map(|n| (n, n + 1)).collect();
        assert_eq!(places, wanted);
    }
}

pub async fn messages_are_numbered_in_the_order_of_the_calls(store: Shared) {
    const EACH: u64 = 300;
    let (mina, first) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let rooms = [first, room(&store, mina).await];
    let mut appending = Vec::new();
    for _ in 0..EACH {
        for room in rooms {
            appending.push(store.append(new_message(room, jisu, "hello")));
        }
    }
    // Who waits, and in which order, makes no difference.
    for (n, appending) in appending.into_iter().enumerate().rev() {
        let sent = appending.await.unwrap().sent;
        assert_eq!(sent.number, Number(n as u64 / 2 + 1));
    }
}

pub async fn a_repeat_returns_the_first_acknowledgement_and_takes_nothing(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "once");
    let first = store.append(new.clone()).await.unwrap().sent;
    send(&store, room, mina, "in between").await;
    let before = record(&store, room).await;
    let repeat = NewMessage {
        id: message_id(),
        at: at(9_999),
        ..new
    };
    let again = store.append(repeat).await.unwrap();
    let wanted = Sent {
        duplicate: true,
        ..first
    };
    assert_eq!(again.sent, wanted);
    assert!(again.events.is_empty());
    assert_eq!(record(&store, room).await, before);
    assert_eq!(
        send(&store, room, mina, "next").await.sent.number,
        Number(3)
    );
}

pub async fn repeats_at_once_are_stored_once(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "once");
    let answers = at_once(32, |_| {
        let (store, new) = (store.clone(), new.clone());
        let attempt = NewMessage {
            id: message_id(),
            ..new
        };
        async move { store.append(attempt).await.unwrap() }
    })
    .await;
    let firsts: Vec<&Appended> = answers.iter().filter(|a| !a.sent.duplicate).collect();
    let [first] = firsts[..] else {
        panic!("{} were stored", firsts.len());
    };
    for answer in &answers {
        assert_eq!((answer.sent.id, answer.sent.seq), (first.sent.id, Seq(2)));
        assert_eq!(answer.events.is_empty(), answer.sent.duplicate);
    }
    assert_eq!(record(&store, room).await.last_number, Number(1));
}

pub async fn a_client_id_is_of_one_author_in_one_room(store: Shared) {
    let (mina, here) = owned_room(&store).await;
    let there = room(&store, mina).await;
    let jisu = guest(&store, "jisu").await;
    let new = new_message(here, mina, "mine");
    for (room, author) in [(here, mina), (there, mina), (here, jisu)] {
        let new = NewMessage {
            id: message_id(),
            room,
            author,
            ..new.clone()
        };
        assert!(!store.append(new).await.unwrap().sent.duplicate);
    }
}

pub async fn a_client_id_used_for_another_message_is_a_conflict(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let answered = send(&store, room, mina, "question").await.sent.id;
    let first = new_message(room, mina, "one");
    store.append(first.clone()).await.unwrap();
    let other_text = NewMessage {
        client_id: first.client_id,
        ..new_message(room, mina, "another")
    };
    refused(store.append(other_text).await, Conflict::ClientIdReused);
    let other_reply = NewMessage {
        id: message_id(),
        reply_to: Some(answered),
        ..first
    };
    refused(store.append(other_reply).await, Conflict::ClientIdReused);
    assert_eq!(head(&store, room).await, Seq(3));
}

pub async fn a_repeat_after_an_edit_or_a_deletion_is_still_a_repeat(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "first");
    let first = store.append(new.clone()).await.unwrap().sent;
    let wanted = Sent {
        duplicate: true,
        ..first
    };
    store
        .edit_message(edit(room, first.id, mina, "second"))
        .await
        .unwrap();
    assert_eq!(store.append(new.clone()).await.unwrap().sent, wanted);
    store
        .delete_message(deletion(room, first.id, mina))
        .await
        .unwrap();
    assert_eq!(store.append(new).await.unwrap().sent, wanted);
    assert_eq!(head(&store, room).await, Seq(4));
}

pub async fn one_bad_message_does_not_fail_its_neighbours(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let results = at_once(60, |n| {
        let store = store.clone();
        let mut new = new_message(room, mina, "hello");
        match n % 6 {
            1 => new.reply_to = Some(message_id()),
            3 => new.author = user_id(),
            _ => {}
        }
        async move { (n, store.append(new).await) }
    })
    .await;
    let mut placed = Vec::new();
    for (n, result) in results {
        match n % 6 {
            1 => refused(result, Missing::Message),
            3 => refused(result, Missing::User),
            _ => placed.push(result.unwrap().sent.number.0),
        }
    }
    placed.sort_unstable();
    assert_eq!(placed, up_to(40));
    assert_eq!(head(&store, room).await, Seq(41));
}

pub async fn what_is_queued_together_is_what_one_by_one_would_be(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let [jisu, jiho] = [guest(&store, "jisu").await, guest(&store, "jiho").await];
    join(&store, room, jisu, Role::Guest).await;
    let answered = send(&store, room, mina, "hello").await.sent.id;
    let answer = |author, text| NewMessage {
        reply_to: Some(answered),
        ..new_message(room, author, text)
    };
    let lost = NewMessage {
        reply_to: Some(message_id()),
        ..new_message(room, mina, "answers nothing")
    };
    let once = new_message(room, mina, "once");
    let again = NewMessage {
        id: message_id(),
        ..once.clone()
    };
    let reused = NewMessage {
        client_id: once.client_id,
        ..new_message(room, mina, "another")
    };
    let new = [
        new_message(room, mina, "one"),
        answer(mina, "two"),
        new_message(room, jiho, "a first message"),
        new_message(room, jiho, "a second"),
        once.clone(),
        lost,
        again,
        reused,
        new_message(room, jisu, "ㅋㅋ \"quoted\"\n\u{1f44b}"),
        answer(jiho, "a third"),
        new_message(room, mina, "last"),
    ];
    let appending: Vec<_> = new.iter().map(|new| store.append(new.clone())).collect();
    let mut results = Vec::new();
    for appending in appending {
        results.push(appending.await);
    }
    refused(results.remove(7), Conflict::ClientIdReused);
    let repeat = results.remove(6).unwrap();
    assert!(repeat.sent.duplicate && repeat.events.is_empty());
    assert_eq!(repeat.sent.id, once.id);
    refused(results.remove(5), Missing::Message);
    let mut events = Vec::new();
    for appended in results {
        let appended = appended.unwrap();
        let shown = load(&store, room, appended.sent.id).await;
        let message = message_of(appended.events.last().unwrap());
        assert_eq!(message, &shown);
        assert_eq!(
            (appended.sent.number, appended.sent.seq),
            (shown.number, shown.seq)
        );
        events.extend(appended.events);
    }
    events.sort_by_key(|event| event.seq);
    let places: Vec<u64> = events.iter().map(|event| event.seq.0).collect();
    let before = 3;
    assert_eq!(places, (before + 1..=before + 9).collect::<Vec<_>>());
    for author in [mina, jisu, jiho] {
        let texts = events.iter().filter_map(|event| match &event.change {
            Change::Message { message } if message.author.id == author => Some(&message.content),
            _ => None,
        });
        let written = new.iter().filter(|new| new.author == author);
        let written: Vec<_> = written.map(|new| new.body.to_string()).collect();
        let mut written = written.iter();
        for text in texts {
            let Content::Text { body } = text else {
                panic!("not a text: {text:?}");
            };
            assert!(written.any(|text| text == body), "{body:?} stands too late");
        }
    }
    let stored = record(&store, room).await;
    assert_eq!(
        (stored.head, stored.last_number),
        (Seq(before + 9), Number(9))
    );
}

pub async fn a_first_message_makes_its_author_a_member(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let first = send(&store, room, jisu, "hello").await;
    let [joined, message] = &first.events[..] else {
        panic!("not two events: {:?}", first.events);
    };
    assert_eq!(
        (joined.seq, message.seq, first.sent.seq),
        (Seq(2), Seq(3), Seq(3))
    );
    let Change::Member { member } = &joined.change else {
        panic!("not a member");
    };
    assert_eq!(
        (member.user.id, member.role, member.joined_at),
        (jisu, Role::Guest, at(100))
    );
    assert!(store.membership(room, jisu).await.unwrap().is_some());
    assert_eq!(send(&store, room, jisu, "again").await.events.len(), 1);
    store.leave(room, jisu, at(150)).await.unwrap();
    assert_eq!(send(&store, room, jisu, "back").await.events.len(), 2);
}

pub async fn a_message_needs_what_it_refers_to(store: Shared) {
    let (mina, here) = owned_room(&store).await;
    let there = room(&store, mina).await;
    let elsewhere = send(&store, there, mina, "elsewhere").await.sent.id;
    refused(
        store.append(new_message(room_id(), mina, "hi")).await,
        Missing::Room,
    );
    refused(
        store.append(new_message(here, user_id(), "hi")).await,
        Missing::User,
    );
    for answered in [elsewhere, message_id()] {
        let answer = NewMessage {
            reply_to: Some(answered),
            ..new_message(here, mina, "hi")
        };
        refused(store.append(answer).await, Missing::Message);
    }
    let same_id = NewMessage {
        id: elsewhere,
        ..new_message(here, mina, "hi")
    };
    refused(store.append(same_id).await, Conflict::IdExists);
    assert_eq!(head(&store, here).await, Seq(1));
    assert_eq!(store.message(here, elsewhere, None).await.unwrap(), None);
}

pub async fn an_edit_replaces_the_text(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "first").await.sent.id;
    let event = store
        .edit_message(edit(room, id, mina, "second"))
        .await
        .unwrap()
        .unwrap();
    let wanted = Change::Edited {
        message_id: id,
        body: "second".to_owned(),
        edited_at: at(200),
    };
    assert_eq!(
        (event.seq, event.at, event.change),
        (Seq(3), at(200), wanted)
    );
    let message = load(&store, room, id).await;
    let body = "second".to_owned();
    assert_eq!(message.content, Content::Text { body });
    assert_eq!(
        (message.seq, message.number, message.edited_at),
        (Seq(3), Number(1), Some(at(200)))
    );
    assert_eq!(
        store
            .edit_message(edit(room, id, mina, "second"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(head(&store, room).await, Seq(3));
}

pub async fn a_tombstone_holds_nothing(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "secret").await.sent.id;
    let answer = NewMessage {
        reply_to: Some(id),
        ..new_message(room, mina, "answer")
    };
    let answer = store.append(answer).await.unwrap().sent.id;
    store
        .set_reaction(reaction(room, id, mina, "👍", true))
        .await
        .unwrap();
    store.set_pin(pin(room, id, mina, true)).await.unwrap();
    let mut delete = deletion(room, id, mina);
    delete.by_moderator = true;
    let event = store.delete_message(delete.clone()).await.unwrap().unwrap();
    let wanted = Change::Deleted {
        message_id: id,
        at: at(300),
        by_moderator: true,
    };
    assert_eq!(
        (event.seq, event.change),
        (head(&store, room).await, wanted)
    );
    let message = load(&store, room, id).await;
    let wanted = Content::Deleted {
        at: at(300),
        by_moderator: true,
    };
    assert_eq!((message.seq, message.content), (event.seq, wanted));
    assert!(!message.pinned && message.reactions.is_empty());
    let preview = load(&store, room, answer).await.reply_to.unwrap();
    assert_eq!((preview.id, preview.excerpt.as_str()), (id, ""));
    assert_eq!(store.delete_message(delete).await.unwrap(), None);
    assert_eq!(head(&store, room).await, event.seq);
}

pub async fn a_deleted_message_is_not_changed(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "secret").await.sent.id;
    store
        .delete_message(deletion(room, id, mina))
        .await
        .unwrap();
    let before = (load(&store, room, id).await, head(&store, room).await);
    refused(
        store.edit_message(edit(room, id, mina, "again")).await,
        Conflict::MessageDeleted,
    );
    refused(
        store.set_pin(pin(room, id, mina, true)).await,
        Conflict::MessageDeleted,
    );
    let react = reaction(room, id, mina, "👍", true);
    refused(store.set_reaction(react).await, Conflict::MessageDeleted);
    assert_eq!(
        (load(&store, room, id).await, head(&store, room).await),
        before
    );
}

pub async fn an_unknown_message_is_not_changed(store: Shared) {
    let (mina, here) = owned_room(&store).await;
    let there = room(&store, mina).await;
    let elsewhere = send(&store, there, mina, "elsewhere").await.sent.id;
    for id in [message_id(), elsewhere] {
        refused(
            store.edit_message(edit(here, id, mina, "again")).await,
            Missing::Message,
        );
        refused(
            store.delete_message(deletion(here, id, mina)).await,
            Missing::Message,
        );
        refused(
            store.set_pin(pin(here, id, mina, true)).await,
            Missing::Message,
        );
        let react = reaction(here, id, mina, "👍", true);
        refused(store.set_reaction(react).await, Missing::Message);
    }
    assert_eq!(head(&store, here).await, Seq(1));
}

pub async fn an_answer_shows_the_beginning_of_the_text_as_it_is_now(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "question").await.sent.id;
    let answer = NewMessage {
        reply_to: Some(id),
        ..new_message(room, mina, "answer")
    };
    let answer = store.append(answer).await.unwrap();
    let preview = message_of(&answer.events[0]).reply_to.clone().unwrap();
    assert_eq!((preview.id, preview.number), (id, Number(1)));
    assert_eq!(
        (preview.author.as_str(), preview.excerpt.as_str()),
        ("mina", "question")
    );
    let long = "가👋".repeat(100);
    store
        .edit_message(edit(room, id, mina, &long))
        .await
        .unwrap();
    let preview = load(&store, room, answer.sent.id).await.reply_to.unwrap();
    assert_eq!(preview.excerpt, "가👋".repeat(60));
}

fn shown(message: &Message) -> Vec<(&str, u32, bool)> {
    let reactions = message.reactions.iter();
    reactions
        .map(|r| (r.emoji.as_str(), r.count, r.mine))
        .collect()
}

pub async fn reactions_are_counted_in_the_order_of_first_use(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let id = send(&store, room, mina, "hello").await.sent.id;
    for (user, emoji, on, count) in [
        (mina, "🎉", true, 1),
        (mina, "👍", true, 1),
        (jisu, "🎉", true, 2),
        (jisu, "❤️", true, 1),
        (mina, "🎉", false, 1),
        (mina, "👍", false, 0),
        (jisu, "👍", true, 1),
    ] {
        let before = head(&store, room).await;
        let react = reaction(room, id, user, emoji, on);
        let event = store.set_reaction(react).await.unwrap().unwrap();
        let wanted = Change::Reacted {
            message_id: id,
            user_id: user,
            emoji: emoji.to_owned(),
            on,
            count,
        };
        assert_eq!((event.seq, event.change), (before.next(), wanted));
        assert_eq!(load(&store, room, id).await.seq, event.seq);
    }
    let seen = store.message(room, id, Some(jisu)).await.unwrap().unwrap();
    assert_eq!(
        shown(&seen),
        [("🎉", 1, true), ("❤️", 1, true), ("👍", 1, true)]
    );
    let seen = store.message(room, id, Some(mina)).await.unwrap().unwrap();
    assert_eq!(
        shown(&seen),
        [("🎉", 1, false), ("❤️", 1, false), ("👍", 1, false)]
    );
}

pub async fn a_reaction_that_is_so_already_takes_no_seq(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "hello").await.sent.id;
    let off = reaction(room, id, mina, "👍", false);
    assert_eq!(store.set_reaction(off).await.unwrap(), None);
    let on = reaction(room, id, mina, "👍", true);
    assert!(store.set_reaction(on.clone()).await.unwrap().is_some());
    assert_eq!(store.set_reaction(on).await.unwrap(), None);
    assert_eq!(head(&store, room).await, Seq(3));
}

pub async fn one_more_kind_of_emoji_than_the_limit_is_refused(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let id = send(&store, room, mina, "hello").await.sent.id;
    let kinds: Vec<String> = ('😀'..)
        .take(REACTIONS_PER_MESSAGE + 1)
        .map(String::from)
        .collect();
    let (last, kept) = kinds.split_last().unwrap();
    for kind in kept {
        store
            .set_reaction(reaction(room, id, mina, kind, true))
            .await
            .unwrap();
    }
    let before = head(&store, room).await;
    let more = reaction(room, id, mina, last, true);
    refused(
        store.set_reaction(more.clone()).await,
        Refusal::LimitReached,
    );
    assert_eq!(head(&store, room).await, before);
    let known = reaction(room, id, jisu, &kept[0], true);
    assert!(store.set_reaction(known).await.unwrap().is_some());
    let off = reaction(room, id, mina, &kept[1], false);
    store.set_reaction(off).await.unwrap();
    assert!(store.set_reaction(more).await.unwrap().is_some());
    assert_eq!(
        emoji(last).as_str(),
        load(&store, room, id).await.reactions[19].emoji
    );
}

pub async fn who_reacted_is_told_once_and_up_to_the_limit(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(send(&store, room, mina, text).await.sent.id);
    }
    let react = async |id, user, emoji, on| {
        let reaction = reaction(room, id, user, emoji, on);
        store.set_reaction(reaction).await.unwrap().unwrap();
    };
    react(ids[0], jisu, "👍", true).await;
    react(ids[0], jisu, "🎉", true).await;
    react(ids[0], mina, "👍", true).await;
    react(ids[1], jisu, "👍", true).await;
    react(ids[2], mina, "👍", true).await;
    let reactors = async |ids: &[_], limit| {
        let mut users = store.reactors(ids, limit).await.unwrap();
        users.sort();
        users
    };
    let mut both = vec![mina, jisu];
    both.sort();
    assert_eq!(reactors(&ids, 10).await, both);
    assert_eq!(reactors(&ids[1..2], 10).await, [jisu]);
    assert_eq!(reactors(&ids, 2).await, both);
    assert_eq!(reactors(&ids, 1).await.len(), 1);
    assert_eq!(reactors(&[], 10).await, []);
    react(ids[1], jisu, "👍", false).await;
    assert_eq!(reactors(&ids[1..2], 10).await, []);
}

pub async fn a_pin_is_set_and_taken_away(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let id = send(&store, room, mina, "hello").await.sent.id;
    for on in [true, false] {
        let before = head(&store, room).await;
        let event = store
            .set_pin(pin(room, id, mina, on))
            .await
            .unwrap()
            .unwrap();
        let wanted = Change::Pinned { message_id: id, on };
        assert_eq!((event.seq, event.change), (before.next(), wanted));
        let message = load(&store, room, id).await;
        assert_eq!((message.pinned, message.seq), (on, event.seq));
        assert_eq!(store.set_pin(pin(room, id, mina, on)).await.unwrap(), None);
        assert_eq!(head(&store, room).await, event.seq);
    }
}

pub async fn history_pages_meet_without_overlap_or_gap(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 23).await;
    for limit in [1, 4, 7, 23, 100] {
        let (mut seen, more, after) = numbers(&store, room, HistoryFrom::Newest, limit).await;
        assert!(!after);
        let mut more_before = more;
        while more_before {
            let from = HistoryFrom::Before(Number(seen[0]));
            let (page, more, after) = numbers(&store, room, from, limit).await;
            assert!(after && page.len() <= limit as usize && !page.is_empty());
            seen.splice(0..0, page);
            more_before = more;
        }
        assert_eq!(seen, up_to(23));
        let (mut seen, mut more_after) = (Vec::new(), true);
        while more_after {
            let from = HistoryFrom::After(Number(seen.last().copied().unwrap_or(0)));
            let (page, before, more) = numbers(&store, room, from, limit).await;
            assert!(before != seen.is_empty() && page.len() <= limit as usize && !page.is_empty());
            seen.extend(page);
            more_after = more;
        }
        assert_eq!(seen, up_to(23));
    }
}

pub async fn history_around_a_message_has_both_sides(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 23).await;
    for number in 1..=23 {
        let from = HistoryFrom::Around(Number(number));
        let (page, before, after) = numbers(&store, room, from, 7).await;
        assert_eq!(page.len(), 7, "a full page around {number}");
        assert!(page.contains(&number));
        assert_eq!((before, after), (page[0] > 1, page[6] < 23));
        if (4..=20).contains(&number) {
            assert_eq!(page[3], number, "in the middle");
        }
    }
    let (page, before, after) = numbers(&store, room, HistoryFrom::Around(Number(5)), 100).await;
    assert_eq!((page, before, after), (up_to(23), false, false));
}

pub async fn history_beyond_the_ends_is_empty_or_the_nearest(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let everywhere = [
        HistoryFrom::Newest,
        HistoryFrom::Before(Number(0)),
        HistoryFrom::Before(Number(9)),
        HistoryFrom::After(Number(9)),
        HistoryFrom::Around(Number(9)),
        HistoryFrom::Around(Number(u64::MAX)),
    ];
    for from in everywhere {
        assert_eq!(numbers(&store, room, from, 5).await, (vec![], false, false));
        refused(store.history(room_id(), None, from, 5).await, Missing::Room);
    }
    send_many(&store, room, mina, 3).await;
    for (from, wanted) in [
        (HistoryFrom::Before(Number(1)), (vec![], false, true)),
        (HistoryFrom::Before(Number(99)), (up_to(3), false, false)),
        (HistoryFrom::After(Number(3)), (vec![], true, false)),
        (HistoryFrom::After(Number(u64::MAX)), (vec![], true, false)),
        (HistoryFrom::Around(Number(99)), (up_to(3), false, false)),
    ] {
        assert_eq!(numbers(&store, room, from, 5).await, wanted, "{from:?}");
    }
}

pub async fn history_is_of_one_room_with_its_tombstones(store: Shared) {
    let (mina, here) = owned_room(&store).await;
    let there = new_room(RoomKind::Private, "There");
    let there = store.create_room(there, mina).await.unwrap().room.id;
    send_many(&store, there, mina, 3).await;
    let jisu = account(&store, &nth_name(3)).await;
    join(&store, here, jisu, Role::Member).await;
    let id = send(&store, here, mina, "one").await.sent.id;
    send(&store, here, mina, "two").await;
    store
        .set_reaction(reaction(here, id, jisu, "👍", true))
        .await
        .unwrap();
    let page = store
        .history(here, Some(jisu), HistoryFrom::Newest, 10)
        .await
        .unwrap();
    assert_eq!(shown(&page.messages[0]), [("👍", 1, true)]);
    store
        .delete_message(deletion(here, id, mina))
        .await
        .unwrap();
    let page = store
        .history(here, None, HistoryFrom::Newest, 10)
        .await
        .unwrap();
    let stored = record(&store, here).await;
    assert_eq!((page.head, page.epoch), (stored.head, stored.epoch));
    assert_eq!(page.messages.len(), 2);
    assert!(matches!(page.messages[0].content, Content::Deleted { .. }));
}
