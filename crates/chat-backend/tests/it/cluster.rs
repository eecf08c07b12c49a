//! Two nodes of one service: what happens on one reaches the people on the other.

use std::time::Duration;

use chat_backend::realtime::broker::Status;
use chat_backend::shutdown;
use chat_types::account::Empty;
use chat_types::close::{CloseCode, retry_ms};
use chat_types::endpoint::{LeaveRoom, PatchMessage, PutReaction, RevokeSession, SignOut};
use chat_types::id::{Number, RoomId, Seq};
use chat_types::room::{EditMessage, React, RoomKind};
use chat_types::ws::{Command, Ephemeral, ServerDoc};

use crate::broker::over_every_bus;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use crate::support::{
    Bus, Cluster, Faults, Follower, ONLY_THE_BUS, PATIENCE, Person, Socket, TestApp, shown,
};

/// The same person on another node.
fn at(app: &TestApp, person: &Person) -> Person {
    app.visitor().signed_in(person.login().clone())
}

async fn socket_of(app: &TestApp, person: &Person) -> Socket {
    app.socket(Some(person.token())).await
}

async fn presence(socket: &mut Socket, wanted: u32) -> Vec<String> {
    let users = socket.expect("presence", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Presence { count, users },
            ..
        } if count == wanted => Some(users),
        _ => None,
    });
    users.await.into_iter().map(|user| user.name).collect()
}

async fn react(person: &Person, room: RoomId, message: chat_types::id::MessageId) -> Seq {
    let thumb = React {
        emoji: "👍".into(),
        on: true,
    };
    let changed = person.call::<PutReaction>(&[&room, &message], thumb).await;
    changed.unwrap().seq
}

async fn edit(person: &Person, room: RoomId, message: chat_types::id::MessageId) -> Seq {
    let body = "edited".to_owned();
    let changed = person
        .call::<PatchMessage>(&[&room, &message], EditMessage { body })
        .await;
    changed.unwrap().seq
}

async fn a_message_its_edit_and_a_reaction_are_heard_on_the_other_node(bus: Bus) {
    let Cluster {
        here,
        there,
        bus: _bus,
    } = Cluster::start(bus, &ONLY_THE_BUS).await;
    let (mina, joon) = (here.guest("mina").await, there.guest("joon").await);
    let room = mina.open_page("blog", "/both").await.room.id;
    let mut reader = Follower::start(socket_of(&there, &joon).await, room).await;
    settle(&here, &there, room).await;
    let sent = mina.send(room, "hello").await.unwrap();
    edit(&mina, room, sent.id).await;
    let last = react(&at(&here, &joon), room, sent.id).await;
    reader.reach(last).await;
    assert_eq!(
        reader.shown().last().unwrap(),
        &("edited".into(), vec![("👍".into(), 1)])
    );
    assert_eq!(reader.resyncs, 0, "the bus brought all of it");
}

/// Returns when what is published about the room on one node is heard on the other.
async fn settle(here: &TestApp, there: &TestApp, room: RoomId) {
    let mut far = there.socket(None).await;
    far.follow(room).await;
    let mut near = here.socket(None).await;
    near.follow(room).await;
    // Presence crosses on the room's subject, and only once it is followed.
    far.expect("presence", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Presence { count, .. },
            ..
        } => (count > 1).then_some(()),
        _ => None,
    })
    .await;
}

async fn a_message_sent_between_the_snapshot_and_the_subscription_is_not_missed(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let mina = cluster.here.guest("mina").await;
    for n in 0..10 {
        let room = mina.open_page("blog", &format!("/{n}")).await.room.id;
        let mut reader = Follower::start(cluster.there.socket(None).await, room).await;
        // At once: the other node has hardly begun to follow the room.
        let sent = mina.send(room, "first").await.unwrap();
        reader.reach(sent.seq).await;
        assert_eq!(reader.shown(), [("first".to_owned(), vec![])]);
    }
}

async fn presence_and_typing_cross_nodes_and_who_leaves_is_gone(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.guest("joon").await,
    );
    let room = mina.open_page("blog", "/here").await.room.id;
    let mut of_mina = socket_of(&cluster.here, &mina).await;
    of_mina.follow(room).await;
    let mut of_joon = socket_of(&cluster.there, &joon).await;
    of_joon.follow(room).await;
    assert_eq!(presence(&mut of_joon, 2).await, ["joon", "mina"]);
    assert_eq!(presence(&mut of_mina, 2).await, ["joon", "mina"]);
    let mut phone_of_mina = socket_of(&cluster.there, &mina).await;
    phone_of_mina.follow(room).await;
    let mut visitor = cluster.there.socket(None).await;
    visitor.follow(room).await;
    assert_eq!(
        presence(&mut of_mina, 3).await,
        ["joon", "mina"],
        "mina counts once"
    );
    of_mina.send(&Command::Typing { room }).await;
    let typing = of_joon.expect("typing", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Typing { user },
            ..
        } => Some(user.name),
        _ => None,
    });
    assert_eq!(typing.await, "mina");
    drop((phone_of_mina, visitor));
    assert_eq!(presence(&mut of_mina, 2).await, ["joon", "mina"]);
    drop(of_joon);
    assert_eq!(presence(&mut of_mina, 1).await, ["mina"]);
}

async fn a_read_position_is_told_to_the_users_sockets_on_the_other_node(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let mina = cluster.here.guest("mina").await;
    let room = mina.open_page("blog", "/read").await.room.id;
    mina.send(room, "one").await.unwrap();
    let joon = cluster.here.guest("joon").await;
    joon.send(room, "two").await.unwrap();
    let mut phone = socket_of(&cluster.here, &mina).await;
    let mut laptop = socket_of(&cluster.there, &mina).await;
    phone.follow(room).await;
    laptop.follow(room).await;
    let number = Number(2);
    phone.send(&Command::Read { room, number }).await;
    let heard = laptop.expect("read", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Read { number },
            ..
        } => Some(number),
        _ => None,
    });
    assert_eq!(heard.await, number);
}

async fn a_sign_out_and_a_revocation_close_the_sockets_on_the_other_node(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let mina = cluster.here.account("mina").await;
    let mut socket = socket_of(&cluster.there, &mina).await;
    mina.call::<SignOut>(&[], Empty {}).await.unwrap();
    assert_eq!(socket.close_code().await, CloseCode::SignedOut.code());
    let joon = cluster.here.account("joon").await;
    let mut socket = socket_of(&cluster.there, &joon).await;
    let session = joon.login().session;
    joon.call::<RevokeSession>(&[&session], Empty {})
        .await
        .unwrap();
    assert_eq!(socket.close_code().await, CloseCode::Revoked.code());
}

async fn who_leaves_a_private_room_reads_it_on_no_node_and_a_new_room_is_told_to_all(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let mina = cluster.here.account("mina").await;
    let mut socket = socket_of(&cluster.there, &mina).await;
    let room = mina.room(RoomKind::Private, "secret").await;
    assert_eq!(socket.added().await, room);
    socket.follow(room).await;
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let ended = socket.expect("unsubbed", |doc| match doc {
        ServerDoc::Unsubbed { room, .. } => Some(room),
        _ => None,
    });
    assert_eq!(ended.await, room);
}

/// What is polled while the bus is down.
const POLLED: [(&str, &str); 3] = [
    ("--heads-ms", "3600000"),
    ("--poll-heads-ms", "100"),
    ("--recheck-ms", "86400000"),
];

async fn chat_goes_on_without_the_bus(bus: Bus) {
    let mut cluster = Cluster::start(bus, &POLLED).await;
    cluster.cut().await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.account("joon").await,
    );
    let room = mina.open_page("blog", "/down").await.room.id;
    let mut reader = Follower::start(socket_of(&cluster.there, &joon).await, room).await;
    let sent = mina.send(room, "hello").await.unwrap();
    reader.reach(sent.seq).await;
    edit(&mina, room, sent.id).await;
    let last = react(&mina, room, sent.id).await;
    reader.reach(last).await;
    assert_eq!(
        reader.shown(),
        [("edited".to_owned(), vec![("👍".into(), 1)])]
    );
    let ready = reqwest::get(format!("http://{}/readyz", cluster.here.admin_address)).await;
    let ready = ready.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(ready.text().await.unwrap().contains("the bus is down"));

    let mut socket = socket_of(&cluster.there, &joon).await;
    let session = joon.login().session;
    at(&cluster.here, &joon)
        .call::<RevokeSession>(&[&session], Empty {})
        .await
        .unwrap();
    assert_eq!(socket.close_code().await, CloseCode::Revoked.code());
}

async fn who_left_a_private_room_while_the_bus_was_down_reads_it_no_longer(bus: Bus) {
    let mut cluster = Cluster::start(bus, &POLLED).await;
    let mina = cluster.here.account("mina").await;
    let room = mina.room(RoomKind::Private, "secret").await;
    let mut socket = socket_of(&cluster.there, &mina).await;
    socket.follow(room).await;
    cluster.cut().await;
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let ended = socket.expect("unsubbed", |doc| match doc {
        ServerDoc::Unsubbed { room, .. } => Some(room),
        _ => None,
    });
    assert_eq!(ended.await, room);
}

async fn what_was_sent_while_the_bus_was_away_is_heard_when_it_comes_back(bus: Bus) {
    let mut cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.guest("joon").await,
    );
    let room = mina.open_page("blog", "/away").await.room.id;
    let mut reader = Follower::start(socket_of(&cluster.there, &joon).await, room).await;
    let mut of_mina = socket_of(&cluster.here, &mina).await;
    of_mina.follow(room).await;
    presence(&mut of_mina, 2).await;
    cluster.cut().await;
    let sent = mina.send(room, "while it was away").await.unwrap();
    cluster.mend().await;
    reader.reach(sent.seq).await;
    let sent = mina.send(room, "after").await.unwrap();
    reader.reach(sent.seq).await;
    assert_eq!(reader.shown().len(), 2);
    of_mina.send(&Command::Typing { room }).await;
}

async fn a_node_that_ends_in_order_is_gone_from_presence_at_once(bus: Bus) {
    let cluster = Cluster::start(bus, &ONLY_THE_BUS).await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.guest("joon").await,
    );
    let room = mina.open_page("blog", "/ends").await.room.id;
    let mut of_mina = socket_of(&cluster.here, &mina).await;
    of_mina.follow(room).await;
    let mut of_joon = socket_of(&cluster.there, &joon).await;
    of_joon.follow(room).await;
    assert_eq!(presence(&mut of_mina, 2).await, ["joon", "mina"]);
    let state = cluster.there.state.clone();
    let quick = shutdown::Settings {
        delay: Duration::ZERO,
        window: Duration::from_millis(100),
        grace: PATIENCE,
    };
    let ending = tokio::spawn(async move { state.lifecycle.shut_down(&state.hub, &quick).await });
    assert_eq!(u16::from(of_joon.closed().await.code), 1012);
    drop(of_joon);
    assert_eq!(presence(&mut of_mina, 1).await, ["mina"]);
    assert!(ending.await.unwrap(), "every task has ended");
}

async fn a_bus_that_loses_doubles_and_reorders_leaves_no_gap_and_no_repeat(bus: Bus) {
    let cluster = Cluster::start(bus, &[("--heads-ms", "100")]).await;
    let nodes = [&cluster.here, &cluster.there];
    let people = [nodes[0].guest("mina").await, nodes[1].guest("joon").await];
    let room = people[0].open_page("blog", "/faults").await.room.id;
    let mut readers = Vec::new();
    for (node, person) in nodes.into_iter().zip(&people) {
        readers.push(Follower::start(socket_of(node, person).await, room).await);
        readers.push(Follower::start(node.socket(None).await, room).await);
    }
    cluster.bus.set_faults(Faults {
        lost: 30,
        doubled: 10,
        late: 30,
        ..Faults::default()
    });
    let mut writing = Vec::new();
    for person in people.clone() {
        writing.push(tokio::spawn(async move {
            let mut last = Seq::ZERO;
            for n in 0..60 {
                let sent = person.send(room, &n.to_string()).await.unwrap();
                last = match n % 10 {
                    4 => edit(&person, room, sent.id).await,
                    9 => react(&person, room, sent.id).await,
                    _ => sent.seq,
                };
            }
            last
        }));
    }
    let mut head = Seq::ZERO;
    for last in writing {
        head = head.max(last.await.unwrap());
    }
    let history = people[0].history(room).await.unwrap();
    let wanted: Vec<_> = history.messages.iter().map(shown).collect();
    for reader in &mut readers {
        reader.reach(head).await;
        let all = reader.shown();
        assert_eq!(all.len(), 120);
        assert_eq!(all[all.len() - wanted.len()..], wanted);
    }
}

over_every_bus! {
    a_message_its_edit_and_a_reaction_are_heard_on_the_other_node
    a_message_sent_between_the_snapshot_and_the_subscription_is_not_missed
    presence_and_typing_cross_nodes_and_who_leaves_is_gone
    a_read_position_is_told_to_the_users_sockets_on_the_other_node
    a_sign_out_and_a_revocation_close_the_sockets_on_the_other_node
    who_leaves_a_private_room_reads_it_on_no_node_and_a_new_room_is_told_to_all
    chat_goes_on_without_the_bus
    who_left_a_private_room_while_the_bus_was_down_reads_it_no_longer
    what_was_sent_while_the_bus_was_away_is_heard_when_it_comes_back
    a_node_that_ends_in_order_is_gone_from_presence_at_once
    a_bus_that_loses_doubles_and_reorders_leaves_no_gap_and_no_repeat
}

#[tokio::test]
async fn who_left_a_private_room_reads_it_no_longer_although_every_notice_is_lost() {
    let cluster = Cluster::start(Bus::switch(), &ONLY_THE_BUS).await;
    let mina = cluster.here.account("mina").await;
    let room = mina.room(RoomKind::Private, "secret").await;
    let mut socket = socket_of(&cluster.there, &mina).await;
    socket.follow(room).await;
    cluster.bus.set_faults(Faults {
        notices_lost: true,
        ..Faults::default()
    });
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let ended = socket.expect("unsubbed", |doc| match doc {
        ServerDoc::Unsubbed { room, .. } => Some(room),
        _ => None,
    });
    assert_eq!(ended.await, room);
}

#[tokio::test]
async fn a_server_that_answers_nothing_counts_as_down_until_it_does_again() {
    let mut cluster = Cluster::start(Bus::nats(), &POLLED).await;
    let mina = cluster.here.guest("mina").await;
    let room = mina.open_page("blog", "/frozen").await.room.id;
    let mut reader = Follower::start(cluster.there.socket(None).await, room).await;
    let Bus::Nats(server) = &mut cluster.bus else {
        unreachable!()
    };
    server.freeze();
    cluster.is(Status::Down).await;
    let sent = mina.send(room, "hello").await.unwrap();
    reader.reach(sent.seq).await;
    let Bus::Nats(server) = &mut cluster.bus else {
        unreachable!()
    };
    server.thaw();
    cluster.is(Status::Up).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_keeps_no_node_from_starting() {
    let mut server = chat_testbed::Nats::start().unwrap();
    let url = server.url();
    server.kill();
    let app = TestApp::start_with(&[("--nats-url", &url)]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/early").await.room.id;
    mina.send(room, "hello").await.unwrap();
    assert_eq!(app.state.hub.bus(), Status::Down);
    let metrics = format!("http://{}/metrics", app.admin_address);
    let shown = async || reqwest::get(&metrics).await.unwrap().text().await.unwrap();
    assert!(shown().await.contains("\nchat_bus_up 0\n"));
    server.restart().unwrap();
    let up = async {
        while app.state.hub.bus() != Status::Up {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, up).await.is_ok(), "it is not found");
    assert!(shown().await.contains("\nchat_bus_up 1\n"));
}

#[tokio::test]
async fn a_node_with_far_more_connections_than_the_mean_sends_some_to_the_other() {
    let own = [
        ("--limit-visitors-per-address", "1000"),
        ("--limit-connections-per-address", "1000"),
    ];
    let cluster = Cluster::start(Bus::switch(), &own).await;
    let mut sockets = Vec::new();
    for _ in 0..60 {
        sockets.push(cluster.here.socket(None).await);
    }
    let mut closed: FuturesUnordered<_> = sockets.iter_mut().map(Socket::closed).collect();
    // 50 are not worth evening out.
    for _ in 0..10 {
        let closed = closed.next().await.unwrap();
        assert_eq!(u16::from(closed.code), CloseCode::Rebalance.code());
        assert!(retry_ms(&closed.reason).is_some(), "{}", closed.reason);
    }
    assert_eq!(cluster.here.state.hub.connections(), 50);
}

#[tokio::test]
async fn a_node_dies_and_its_room_goes_on_elsewhere_without_a_gap() {
    let cluster = Cluster::start(Bus::switch(), &[]).await;
    let mina = cluster.here.guest("mina").await;
    let room = mina.open_page("blog", "/moves").await.room.id;
    let mut socket = socket_of(&cluster.here, &mina).await;
    let known = socket.follow(room).await;
    if let Bus::Switch(switch) = &cluster.bus {
        switch.silence(0);
    }
    drop(socket);
    let there = at(&cluster.there, &mina);
    let sent = there.send(room, "missed").await.unwrap();
    let mut socket = socket_of(&cluster.there, &mina).await;
    let resumed = socket.resume(room, &known.epoch, known.head).await;
    assert!(resumed.recovered);
    assert_eq!(resumed.head, sent.seq);
}

#[tokio::test]
async fn a_node_that_dies_without_a_word_is_gone_from_presence() {
    let cluster = Cluster::start(Bus::switch(), &[("--presence-ms", "200")]).await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.guest("joon").await,
    );
    let room = mina.open_page("blog", "/dies").await.room.id;
    let mut of_mina = socket_of(&cluster.here, &mina).await;
    of_mina.follow(room).await;
    let mut of_joon = socket_of(&cluster.there, &joon).await;
    of_joon.follow(room).await;
    assert_eq!(presence(&mut of_mina, 2).await, ["joon", "mina"]);
    if let Bus::Switch(switch) = &cluster.bus {
        switch.silence(1);
    }
    assert_eq!(presence(&mut of_mina, 1).await, ["mina"]);
}

#[tokio::test]
async fn messages_of_a_node_that_cannot_be_heard_come_by_polling() {
    let cluster = Cluster::start(Bus::switch(), &POLLED).await;
    let (mina, joon) = (
        cluster.here.guest("mina").await,
        cluster.there.guest("joon").await,
    );
    let room = mina.open_page("blog", "/deaf").await.room.id;
    let mut reader = Follower::start(socket_of(&cluster.here, &mina).await, room).await;
    while cluster.here.state.hub.other_nodes() == 0 {
        tokio::task::yield_now().await;
    }
    if let Bus::Switch(switch) = &cluster.bus {
        switch.silence(1);
    }
    let sent = joon.send(room, "can you hear me").await.unwrap();
    reader.reach(sent.seq).await;
}
