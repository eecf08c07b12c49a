//! Arbitrary documents of both directions.

use chat_types::event::{
    Change, Content, Event, Message, Reaction, ReplyPreview, SeqChange, User, UserKind,
};
use chat_types::id::{
    ClientId, ConnectionId, Epoch, MessageId, Number, RequestId, RoomId, Seq, UserId,
};
use chat_types::limits::Limits;
use chat_types::number;
use chat_types::problem::ErrorCode;
use chat_types::room::{Member, MembersSummary, Role, Room, RoomKind, RoomSummary, Sent};
use chat_types::text::TextReason;
use chat_types::time::Timestamp;
use chat_types::ws::{
    ClientInfo, Command, Ephemeral, Err, Head, Ok, Page, ServerDoc, Subbed, UnsubReason, Welcome,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..=number::MAX, Just(0), Just(number::MAX)]
}

macro_rules! ids {
    ($($name:ident $type:ident;)*) => {
        $(fn $name() -> impl Strategy<Value = $type> {
            any::<u128>().prop_map(|bits| $type::from_uuid(Uuid::from_u128(bits)))
        })*
    };
}

ids! {
    room_id RoomId;
    message_id MessageId;
    client_id ClientId;
    user_id UserId;
    connection_id ConnectionId;
}

fn request_id() -> impl Strategy<Value = RequestId> {
    number().prop_map(RequestId)
}

fn seq() -> impl Strategy<Value = Seq> {
    number().prop_map(Seq)
}

fn place() -> impl Strategy<Value = Number> {
    number().prop_map(Number)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    number().prop_map(Timestamp)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    ".{0,8}".prop_map(Epoch)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        vec(any::<char>(), 0..6).prop_map(String::from_iter)
    ]
}

fn user() -> impl Strategy<Value = User> {
    let kind = select(vec![UserKind::Guest, UserKind::Account, UserKind::Unknown]);
    (user_id(), text(), kind).prop_map(|(id, name, kind)| User { id, name, kind })
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![
        Role::Guest,
        Role::Member,
        Role::Moderator,
        Role::Owner,
        Role::Unknown,
    ])
}

fn member() -> impl Strategy<Value = Member> {
    (user(), role(), instant()).prop_map(|(user, role, joined_at)| Member {
        user,
        role,
        joined_at,
    })
}

fn room() -> impl Strategy<Value = Room> {
    use RoomKind::{Direct, Page, Private, Public, Unknown};
    let kind = select(vec![Page, Public, Private, Direct, Unknown]);
    (
        room_id(),
        kind,
        text(),
        text(),
        any::<bool>(),
        any::<bool>(),
        instant(),
    )
        .prop_map(
            |(id, kind, name, topic, archived, read_only, created_at)| Room {
                id,
                kind,
                name,
                topic,
                archived,
                read_only,
                created_at,
            },
        )
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        text().prop_map(|body| Content::Text { body }),
        (instant(), any::<bool>())
            .prop_map(|(at, by_moderator)| Content::Deleted { at, by_moderator }),
        Just(Content::Unknown),
    ]
}

fn reaction() -> impl Strategy<Value = Reaction> {
    (text(), any::<u32>(), any::<bool>()).prop_map(|(emoji, count, mine)| Reaction {
        emoji,
        count,
        mine,
    })
}

fn reply_preview() -> impl Strategy<Value = ReplyPreview> {
    (message_id(), place(), text(), text()).prop_map(|(id, number, author, excerpt)| ReplyPreview {
        id,
        number,
        author,
        excerpt,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let fixed = (
        message_id(),
        place(),
        seq(),
        user(),
        client_id(),
        instant(),
        content(),
    );
    let optional = (
        option::of(instant()),
        option::of(reply_preview()),
        any::<bool>(),
        vec(reaction(), 0..3),
    );
    (fixed, optional).prop_map(|(fixed, optional)| {
        let (id, number, seq, author, client_id, sent_at, content) = fixed;
        let (edited_at, reply_to, pinned, reactions) = optional;
        Message {
            id,
            number,
            seq,
            author,
            client_id,
            sent_at,
            content,
            edited_at,
            reply_to,
            pinned,
            reactions,
        }
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        message().prop_map(|message| Change::Message {
            message: Box::new(message)
        }),
        (message_id(), text(), instant()).prop_map(|(message_id, body, edited_at)| {
            Change::Edited {
                message_id,
                body,
                edited_at,
            }
        }),
        (message_id(), instant(), any::<bool>()).prop_map(|(message_id, at, by_moderator)| {
            Change::Deleted {
                message_id,
                at,
                by_moderator,
            }
        }),
        (message_id(), user_id(), text(), any::<bool>(), any::<u32>()).prop_map(
            |(message_id, user_id, emoji, on, count)| Change::Reacted {
                message_id,
                user_id,
                emoji,
                on,
                count,
            }
        ),
        (message_id(), any::<bool>())
            .prop_map(|(message_id, on)| Change::Pinned { message_id, on }),
        member().prop_map(|member| Change::Member { member }),
        user_id().prop_map(|user_id| Change::MemberLeft { user_id }),
        room().prop_map(|room| Change::Room { room }),
        Just(Change::Unknown),
    ]
}

fn changes() -> impl Strategy<Value = Vec<SeqChange>> {
    vec(
        (seq(), change()).prop_map(|(seq, change)| SeqChange { seq, change }),
        0..3,
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    (any::<[u32; 6]>(), any::<u64>()).prop_map(|(counts, send_window_ms)| Limits {
        message_chars: counts[0],
        frame_bytes: counts[1],
        rooms_per_connection: counts[2],
        frames_per_second: counts[3],
        frames_burst: counts[4],
        sends_per_window: counts[5],
        send_window_ms,
    })
}

fn client_info() -> impl Strategy<Value = ClientInfo> {
    (text(), text()).prop_map(|(name, build)| ClientInfo { name, build })
}

/// A document from a client.
pub(crate) fn command() -> impl Strategy<Value = Command> {
    let hello = (
        request_id(),
        option::of(text()),
        vec(text(), 0..3),
        client_info(),
    )
        .prop_map(|(id, token, caps, client)| Command::Hello {
            id,
            token,
            caps,
            client,
        });
    let sub = (
        request_id(),
        room_id(),
        option::of(epoch()),
        option::of(seq()),
        any::<u32>(),
    )
        .prop_map(|(id, room, epoch, since, tail)| Command::Sub {
            id,
            room,
            epoch,
            since,
            tail,
        });
    let send = (
        request_id(),
        room_id(),
        client_id(),
        text(),
        option::of(message_id()),
    )
        .prop_map(|(id, room, client_id, body, reply_to)| Command::Send {
            id,
            room,
            client_id,
            body,
            reply_to,
        });
    let edit =
        (request_id(), room_id(), message_id(), text()).prop_map(|(id, room, message_id, body)| {
            Command::Edit {
                id,
                room,
                message_id,
                body,
            }
        });
    let react = (request_id(), room_id(), message_id(), text(), any::<bool>()).prop_map(
        |(id, room, message_id, emoji, on)| Command::React {
            id,
            room,
            message_id,
            emoji,
            on,
        },
    );
    prop_oneof![
        hello,
        (request_id(), text()).prop_map(|(id, token)| Command::Auth { id, token }),
        sub,
        (request_id(), room_id()).prop_map(|(id, room)| Command::Unsub { id, room }),
        send,
        edit,
        (request_id(), room_id(), message_id()).prop_map(|(id, room, message_id)| {
            Command::Delete {
                id,
                room,
                message_id,
            }
        }),
        react,
        (request_id(), room_id(), message_id(), any::<bool>()).prop_map(
            |(id, room, message_id, on)| Command::Pin {
                id,
                room,
                message_id,
                on
            }
        ),
        (request_id(), room_id(), seq(), any::<u32>()).prop_map(|(id, room, after, limit)| {
            Command::Sync {
                id,
                room,
                after,
                limit,
            }
        }),
        (room_id(), place()).prop_map(|(room, number)| Command::Read { room, number }),
        room_id().prop_map(|room| Command::Typing { room }),
        any::<bool>().prop_map(|idle| Command::Mode { idle }),
        Just(Command::Pong {}),
        Just(Command::Probe {}),
        Just(Command::Unknown),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    (message_id(), seq(), place(), instant(), any::<bool>()).prop_map(
        |(id, seq, number, at, duplicate)| Sent {
            id,
            seq,
            number,
            at,
            duplicate,
        },
    )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let who = (
        request_id(),
        connection_id(),
        option::of(user()),
        vec(text(), 0..3),
    );
    let server = (text(), text(), instant(), limits(), any::<u64>());
    (who, server).prop_map(
        |((id, connection, user, caps), (server, oldest_client, now, limits, ping_interval_ms))| {
            Welcome {
                id,
                connection,
                user,
                caps,
                server,
                oldest_client,
                now,
                limits,
                ping_interval_ms,
            }
        },
    )
}

fn error() -> impl Strategy<Value = Err> {
    let code = select(ErrorCode::ALL.to_vec());
    let reason = option::of(select(TextReason::ALL.to_vec()));
    (
        option::of(request_id()),
        code,
        text(),
        any::<bool>(),
        option::of(any::<u64>()),
        reason,
    )
        .prop_map(|(id, code, message, retry, retry_after_ms, reason)| Err {
            id,
            code,
            message,
            retry,
            retry_after_ms,
            reason,
        })
}

fn subbed() -> impl Strategy<Value = Subbed> {
    let head = (request_id(), room(), epoch(), seq(), any::<bool>());
    let rows = (
        changes(),
        vec(message(), 0..3),
        any::<bool>(),
        place(),
        place(),
    );
    let members = (any::<u32>(), vec(member(), 0..3))
        .prop_map(|(count, listed)| MembersSummary { count, listed });
    (head, rows, option::of(member()), members).prop_map(|(head, rows, me, members)| {
        let (id, room, epoch, head, recovered) = head;
        let (changes, messages, more_before, last_number, read) = rows;
        Subbed {
            id,
            room,
            epoch,
            head,
            recovered,
            changes,
            messages,
            more_before,
            last_number,
            read,
            me,
            members,
        }
    })
}

fn page() -> impl Strategy<Value = Page> {
    (
        request_id(),
        room_id(),
        epoch(),
        changes(),
        seq(),
        seq(),
        any::<bool>(),
    )
        .prop_map(|(id, room, epoch, changes, upto, head, more)| Page {
            id,
            room,
            epoch,
            changes,
            upto,
            head,
            more,
        })
}

fn event() -> impl Strategy<Value = Event> {
    (room_id(), seq(), instant(), change()).prop_map(|(room, seq, at, change)| Event {
        room,
        seq,
        at,
        change,
    })
}

fn ephemeral() -> impl Strategy<Value = Ephemeral> {
    prop_oneof![
        user().prop_map(|user| Ephemeral::Typing { user }),
        (any::<u32>(), vec(user(), 0..3))
            .prop_map(|(count, users)| Ephemeral::Presence { count, users }),
        place().prop_map(|number| Ephemeral::Read { number }),
        Just(Ephemeral::Unknown),
    ]
}

fn summary() -> impl Strategy<Value = RoomSummary> {
    let feed = (room(), seq(), epoch(), place(), option::of(instant()));
    let own = (
        place(),
        option::of(role()),
        any::<u32>(),
        option::of(user()),
    );
    (feed, own).prop_map(
        |((room, head, epoch, last_number, last_at), (read, role, members_count, peer))| {
            RoomSummary {
                room,
                head,
                epoch,
                last_number,
                last_at,
                read,
                role,
                members_count,
                peer,
            }
        },
    )
}

/// A document from a server.
pub(crate) fn server_doc() -> impl Strategy<Value = ServerDoc> {
    use UnsubReason::{EpochReset, Forbidden, Left, Removed, Unknown};
    let ok = (request_id(), option::of(seq()), option::of(sent())).prop_map(|(id, seq, sent)| Ok {
        id,
        seq,
        sent,
    });
    let head = (room_id(), seq()).prop_map(|(room, seq)| Head { room, seq });
    let reason = select(vec![Left, Removed, Forbidden, EpochReset, Unknown]);
    prop_oneof![
        welcome().prop_map(|welcome| ServerDoc::Welcome(Box::new(welcome))),
        ok.prop_map(ServerDoc::Ok),
        error().prop_map(ServerDoc::Err),
        subbed().prop_map(|subbed| ServerDoc::Subbed(Box::new(subbed))),
        page().prop_map(ServerDoc::Page),
        event().prop_map(ServerDoc::Ev),
        (room_id(), ephemeral()).prop_map(|(room, data)| ServerDoc::Eph { room, data }),
        room_id().prop_map(|room| ServerDoc::Resync { room }),
        (room_id(), reason).prop_map(|(room, reason)| ServerDoc::Unsubbed { room, reason }),
        summary().prop_map(|summary| ServerDoc::RoomAdded {
            summary: Box::new(summary)
        }),
        vec(head, 0..3).prop_map(|heads| ServerDoc::Ping { heads }),
        any::<u64>().prop_map(|expires_in_ms| ServerDoc::AuthSoon { expires_in_ms }),
        any::<u64>().prop_map(|retry_ms| ServerDoc::GoingAway { retry_ms }),
        text().prop_map(|text| ServerDoc::Notice { text }),
        Just(ServerDoc::Unknown),
    ]
}
