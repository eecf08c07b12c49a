use chat_store::{Messages, NewMessage, NewRoom, Rooms, Users};
use chat_store::{NewGuest, SetReaction};
use chat_store_sqlite::SqliteStore;
use chat_types::event::{Reaction, User, UserKind};
use chat_types::id::ClientId;
use chat_types::room::{Role, RoomKind};
use chat_types::text::{Emoji, MessageBody, Nickname, RoomName};
use chat_types::time::Timestamp;
use chat_types::ws::ServerDoc;
use uuid::Uuid;

use super::*;
use crate::rooms::permissions::Standing;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

struct Given {
    store: Arc<SqliteStore>,
    starts: Starts,
    owner: UserId,
    room: RoomId,
}

impl Given {
    async fn a_room() -> Self {
        let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
        let owner = NewGuest {
            id: UserId::from_uuid(Uuid::new_v4()),
            names: vec![Nickname::parse("mina").unwrap()],
            at: NOW,
        };
        let owner = store.create_guest(owner).await.unwrap().id;
        let room = NewRoom {
            id: RoomId::from_uuid(Uuid::new_v4()),
            kind: RoomKind::Public,
            name: Some(RoomName::parse("Lobby").unwrap()),
            topic: None,
            epoch: Epoch("first".to_owned()),
            at: NOW,
        };
        let room = store.create_room(room, owner).await.unwrap().room.id;
        Self {
            starts: Starts::new(store.clone()),
            store,
            owner,
            room,
        }
    }

    async fn place(&self) -> Place {
        Place {
            record: self.store.room(self.room).await.unwrap().unwrap(),
            standing: Standing::Visitor,
            own: None,
        }
    }

    async fn say(&self, text: &str) -> MessageId {
        let message = NewMessage {
            id: MessageId::from_uuid(Uuid::now_v7()),
            room: self.room,
            author: self.owner,
            client_id: ClientId::from_uuid(Uuid::now_v7()),
            body: MessageBody::parse(text).unwrap(),
            reply_to: None,
            joins_as: Role::Guest,
            at: NOW,
        };
        self.store.append(message).await.unwrap().sent.id
    }

    async fn start(&self, place: &Place) -> Arc<Start> {
        match self.starts.of(place, None, None, 50).await.unwrap() {
            Answer::Start(start) => start,
            Answer::Moved | Answer::Own => panic!("not the start of everybody"),
        }
    }
}

#[tokio::test]
async fn a_crowd_reads_the_store_once_and_after_a_change_once_more() {
    let given = Given::a_room().await;
    let place = given.place().await;
    let crowd = futures_util::future::join_all((0..100).map(|_| given.start(&place))).await;
    assert!(crowd.iter().all(|start| Arc::ptr_eq(start, &crowd[0])));
    given.say("hello").await;
    let after = given.start(&given.place().await).await;
    assert!(after.common.contains("hello"));
    assert!(!crowd[0].common.contains("hello"));
}

#[tokio::test]
async fn who_looked_before_a_change_is_sent_to_look_again() {
    let given = Given::a_room().await;
    let before = given.place().await;
    given.say("hello").await;
    let answer = given.starts.of(&before, None, None, 50).await.unwrap();
    assert!(matches!(answer, Answer::Moved));
}

#[tokio::test]
async fn who_has_reacted_reads_their_own_start() {
    let given = Given::a_room().await;
    let reaction = SetReaction {
        room: given.room,
        id: given.say("hello").await,
        user: given.owner,
        emoji: Emoji::parse("👍").unwrap(),
        on: true,
        at: NOW,
    };
    given.store.set_reaction(reaction).await.unwrap();
    let place = given.place().await;
    let of = async |reader| given.starts.of(&place, reader, None, 50).await.unwrap();
    assert!(matches!(of(Some(given.owner)).await, Answer::Own));
    assert!(matches!(of(None).await, Answer::Start(_)));
    let somebody = UserId::from_uuid(Uuid::new_v4());
    assert!(matches!(of(Some(somebody)).await, Answer::Start(_)));
}

#[tokio::test(start_paused = true)]
async fn a_start_is_given_for_a_second_and_then_forgotten() {
    let key = Key {
        room: RoomId::from_uuid(Uuid::nil()),
        epoch: Epoch("first".to_owned()),
        head: Seq(1),
        from: Origin::Newest(50),
    };
    let mut state = State::default();
    let first = state.cell(&key, Instant::now());
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(Arc::ptr_eq(&first, &state.cell(&key, Instant::now())));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!Arc::ptr_eq(&first, &state.cell(&key, Instant::now())));
    tokio::time::advance(FRESH).await;
    state.trim(Instant::now());
    assert!(state.kept.is_empty() && state.order.is_empty());
}

#[tokio::test(start_paused = true)]
async fn starts_take_bounded_memory() {
    let mut state = State::default();
    let key = |n: u64| Key {
        room: RoomId::from_uuid(Uuid::nil()),
        epoch: Epoch("first".to_owned()),
        head: Seq(n),
        from: Origin::Newest(50),
    };
    for n in 0..=KEPT_STARTS as u64 {
        state.cell(&key(n), Instant::now());
    }
    state.trim(Instant::now());
    assert_eq!(state.kept.len(), KEPT_STARTS);
    assert!(!state.kept.contains_key(&key(0)), "the oldest has gone");
    for n in 1..=3 {
        let cell = state.cell(&key(n), Instant::now());
        state.weigh(&key(n), &cell, KEPT_BYTES / 2);
    }
    state.trim(Instant::now());
    assert_eq!(state.bytes, KEPT_BYTES, "and now the next oldest");
    assert!(!state.kept.contains_key(&key(1)));
    tokio::time::advance(FRESH).await;
    state.trim(Instant::now());
    assert_eq!((state.bytes, state.kept.len()), (0, 0));
}

#[test]
fn a_start_with_a_readers_own_part_is_the_document_that_says_all_of_it() {
    let user = User {
        id: UserId::from_uuid(Uuid::from_u128(7)),
        name: "미나".to_owned(),
        kind: UserKind::Guest,
    };
    let member = Member {
        user: user.clone(),
        role: Role::Guest,
        joined_at: NOW,
    };
    let message = Message {
        id: MessageId::from_uuid(Uuid::from_u128(8)),
        number: Number(1),
        seq: Seq(2),
        author: user,
        client_id: ClientId::from_uuid(Uuid::from_u128(9)),
        content: chat_types::event::Content::Text {
            body: "\"}{\"".to_owned(),
        },
        sent_at: NOW,
        edited_at: None,
        reply_to: None,
        pinned: false,
        reactions: vec![Reaction {
            emoji: "👍".to_owned(),
            count: 2,
            mine: false,
        }],
    };
    let fresh = Subbed {
        id: RequestId(0),
        room: Room {
            id: RoomId::from_uuid(Uuid::from_u128(1)),
            kind: RoomKind::Public,
            name: "Lobby".to_owned(),
            topic: String::new(),
            archived: false,
            read_only: true,
            created_at: NOW,
        },
        epoch: Epoch("first".to_owned()),
        head: Seq(2),
        recovered: false,
        changes: Vec::new(),
        messages: vec![message.clone()],
        more_before: true,
        last_number: Number(1),
        read: Number(0),
        me: None,
        members: MembersSummary {
            count: 1,
            listed: vec![member.clone()],
        },
    };
    let change = Change::Message {
        message: Box::new(message),
    };
    let resumed = Subbed {
        recovered: true,
        changes: vec![SeqChange {
            seq: Seq(2),
            change,
        }],
        messages: Vec::new(),
        more_before: false,
        ..fresh.clone()
    };
    let own = OwnPlace {
        member: member.clone(),
        read: Number(1),
    };
    for (subbed, own) in [(&fresh, None), (&fresh, Some(&own)), (&resumed, Some(&own))] {
        let start = Start {
            common: object(&Common::of(subbed)),
            reactors: HashSet::new(),
            recovered: false,
        };
        let wanted = Subbed {
            id: RequestId(5),
            read: own.map_or(Number(0), |own| own.read),
            me: own.map(|own| own.member.clone()),
            ..subbed.clone()
        };
        let said: ServerDoc = serde_json::from_str(&start.for_reader(RequestId(5), own)).unwrap();
        assert_eq!(said, ServerDoc::Subbed(Box::new(wanted)));
    }
}
