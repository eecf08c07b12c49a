//! What nodes tell each other, as bytes: a version, the node, the kind, then the body. A message that
//! a node does not know is ignored, so nodes of neighbouring releases live together.
//!
//! An event's body is its `seq` and the document exactly as readers get it, so that a node that
//! receives it neither parses nor encodes. Who left the room by it stands before the document, under
//! a kind of its own.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use chat_types::close::CloseCode;
use chat_types::event::User;
use chat_types::id::{ConnectionId, Epoch, RoomId, Seq, SessionId, UserId};
use chat_types::ws::UnsubReason;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Doc;

/// The version of the format.
const VERSION: u8 = 1;
/// Version, node and kind.
const HEADER_BYTES: usize = 18;

/// One run of one process. After a restart it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(Uuid);

impl NodeId {
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// What one node tells the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A change of the room was committed.
    Event {
        seq: Seq,
        /// Whose place in the room it ended: their sockets may not read it any more.
        left: Option<UserId>,
        doc: Doc,
    },
    /// Somebody types in the room.
    Typing(User),
    /// Who looks at the room through the sending node.
    Share(Share),
    /// Word for the sockets of a user.
    Notice(Notice),
    /// The sending node lives.
    Beat(Beat),
    /// What the sending node published lately may have been lost.
    WasAway,
}

/// One node's part of who looks at a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    /// Rises with every share that the node sends.
    pub(super) version: u64,
    /// Which history of the room the node knows.
    #[serde(default)]
    pub(super) epoch: Option<Epoch>,
    /// The newest `seq` of it that the node knows of.
    #[serde(default)]
    pub(super) head: Seq,
    /// Users and visitors, each user once.
    pub(super) count: u32,
    /// The users, unless they are a crowd.
    #[serde(default)]
    pub(super) users: Vec<User>,
    /// Whether the other nodes should tell theirs.
    #[serde(default)]
    pub(super) ask: bool,
}

/// Word for the sockets of a user, wherever they are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub(super) enum Notice {
    /// A session has ended: its sockets close.
    CloseSession {
        user: UserId,
        session: SessionId,
        #[serde(with = "close_code")]
        code: CloseCode,
    },
    /// A user's sessions have ended, but for one.
    CloseUser {
        user: UserId,
        keep: Option<SessionId>,
        #[serde(with = "close_code")]
        code: CloseCode,
    },
    /// The sockets of the first session go on under the second.
    ReplaceSession {
        user: UserId,
        old: SessionId,
        new: SessionId,
    },
    /// The user's place in a room has ended.
    Unsubscribe {
        user: UserId,
        room: RoomId,
        reason: UnsubReason,
    },
    /// A document for every socket of the user; it may be lost.
    Send {
        user: UserId,
        #[serde(with = "text")]
        doc: Doc,
    },
    /// An ephemeral for the user's other sockets that are not idle.
    SendUnlessIdle {
        user: UserId,
        #[serde(with = "text")]
        doc: Doc,
        from: Option<ConnectionId>,
    },
}

/// A node's sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    /// Its sockets and streams.
    pub(super) connections: u32,
    /// Whether it goes away.
    #[serde(default)]
    pub(super) draining: bool,
}

impl Message {
    const fn kind(&self) -> u8 {
        match self {
            Self::Event { left: None, .. } => 1,
            Self::Typing(_) => 2,
            Self::Share(_) => 3,
            Self::Notice(_) => 4,
            Self::Beat(_) => 5,
            Self::WasAway => 6,
            Self::Event { left: Some(_), .. } => 7,
        }
    }

    /// Whether it may be lost without harm: it is the first to be dropped.
    pub(super) fn is_ephemeral(&self) -> bool {
        match self {
            Self::Typing(_) | Self::Share(_) | Self::Notice(Notice::SendUnlessIdle { .. }) => true,
            Self::Event { .. } | Self::Notice(_) | Self::Beat(_) | Self::WasAway => false,
        }
    }

    /// The message as `node` sends it.
    pub(super) fn encode(&self, node: NodeId) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + 256);
        bytes.put_u8(VERSION);
        bytes.put_slice(node.0.as_bytes());
        bytes.put_u8(self.kind());
        match self {
            Self::Event { seq, left, doc } => {
                bytes.reserve(size_of::<u64>() + size_of::<Uuid>() + doc.len());
                bytes.put_u64(seq.0);
                if let Some(user) = left {
                    bytes.put_slice(user.as_uuid().as_bytes());
                }
                bytes.put_slice(doc.as_bytes());
            }
            Self::Typing(user) => put(&mut bytes, user),
            Self::Share(share) => put(&mut bytes, share),
            Self::Notice(notice) => put(&mut bytes, notice),
            Self::Beat(beat) => put(&mut bytes, beat),
            Self::WasAway => {}
        }
        bytes.freeze()
    }

    /// Who sent it and what it says; `None` when this node does not understand it.
    pub(super) fn decode(mut bytes: Bytes) -> Option<(NodeId, Self)> {
        if bytes.len() < HEADER_BYTES || bytes[0] != VERSION {
            return None;
        }
        let header = bytes.split_to(HEADER_BYTES);
        let node = NodeId(Uuid::from_slice(&header[1..17]).ok()?);
        let message = match header[17] {
            kind @ (1 | 7) => {
                let seq = Seq(u64::from_be_bytes(take(&mut bytes)?));
                let left = if kind == 7 {
                    Some(UserId::from_uuid(Uuid::from_bytes(take(&mut bytes)?)))
                } else {
                    None
                };
                let doc = Doc::try_from(bytes).ok()?;
                Self::Event { seq, left, doc }
            }
            2 => Self::Typing(serde_json::from_slice(&bytes).ok()?),
            3 => Self::Share(serde_json::from_slice(&bytes).ok()?),
            4 => Self::Notice(serde_json::from_slice(&bytes).ok()?),
            5 => Self::Beat(serde_json::from_slice(&bytes).ok()?),
            6 => Self::WasAway,
            _ => return None,
        };
        Some((node, message))
    }
}

/// The first bytes, if there are so many.
fn take<const N: usize>(bytes: &mut Bytes) -> Option<[u8; N]> {
    let first = *bytes.first_chunk()?;
    bytes.advance(N);
    Some(first)
}

fn put(bytes: &mut BytesMut, body: &impl Serialize) {
    serde_json::to_writer(bytes.writer(), body).expect("messages always serialize");
}

/// A close code as its number.
mod close_code {
    use chat_types::close::CloseCode;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(super) fn serialize<S: Serializer>(code: &CloseCode, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(code.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<CloseCode, D::Error> {
        let number = u16::deserialize(from)?;
        let known = CloseCode::ALL.into_iter().find(|it| it.code() == number);
        known.ok_or_else(|| de::Error::custom("a close code of another release"))
    }
}

/// An encoded document as text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Doc;

    pub(super) fn serialize<S: Serializer>(doc: &Doc, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(doc)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Doc, D::Error> {
        String::deserialize(from).map(Doc::from)
    }
}

#[cfg(test)]
mod tests {
    use chat_types::event::UserKind;

    use super::*;

    fn every_message() -> Vec<Message> {
        let uuid = Uuid::from_u128(7);
        let (user, session) = (UserId::from_uuid(uuid), SessionId::from_uuid(uuid));
        let mina = User {
            id: user,
            name: "미나".to_owned(),
            kind: UserKind::Guest,
        };
        let doc = Doc::from("{\"t\":\"ev\"}");
        let code = CloseCode::Revoked;
        let notices = [
            Notice::CloseSession {
                user,
                session,
                code,
            },
            Notice::CloseUser {
                user,
                keep: Some(session),
                code,
            },
            Notice::ReplaceSession {
                user,
                old: session,
                new: session,
            },
            Notice::Unsubscribe {
                user,
                room: RoomId::from_uuid(uuid),
                reason: UnsubReason::Removed,
            },
            Notice::Send {
                user,
                doc: doc.clone(),
            },
            Notice::SendUnlessIdle {
                user,
                doc: doc.clone(),
                from: None,
            },
        ];
        let others = [
            Message::Event {
                seq: Seq(9),
                left: None,
                doc: doc.clone(),
            },
            Message::Event {
                seq: Seq(10),
                left: Some(user),
                doc,
            },
            Message::Typing(mina.clone()),
            Message::Share(Share {
                version: 3,
                epoch: Some(Epoch("k3J9".to_owned())),
                head: Seq(9),
                count: 2,
                users: vec![mina],
                ask: true,
            }),
            Message::Beat(Beat {
                connections: 5,
                draining: false,
            }),
            Message::WasAway,
        ];
        others
            .into_iter()
            .chain(notices.map(Message::Notice))
            .collect()
    }

    #[test]
    fn what_one_node_says_another_understands() {
        let node = NodeId::random();
        for message in every_message() {
            assert_eq!(Message::decode(message.encode(node)), Some((node, message)));
        }
    }

    #[test]
    fn what_is_cut_foreign_or_of_another_release_is_ignored() {
        let node = NodeId::random();
        for message in every_message() {
            let good = message.encode(node);
            for length in 0..HEADER_BYTES {
                assert_eq!(Message::decode(good.slice(..length)), None);
            }
            let mut newer = good.to_vec();
            newer[0] = VERSION + 1;
            assert_eq!(Message::decode(newer.into()), None);
            let mut other_kind = good.to_vec();
            other_kind[17] = 99;
            assert_eq!(Message::decode(other_kind.into()), None);
        }
        let more = b"{\"connections\":1,\"cores\":8}";
        let beat = Message::Beat(Beat {
            connections: 1,
            draining: false,
        });
        let mut bytes = beat.encode(node).slice(..HEADER_BYTES).to_vec();
        bytes.extend_from_slice(more);
        assert_eq!(
            Message::decode(bytes.into()),
            Some((node, beat)),
            "a new field"
        );
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let doc = Doc::from("{\"t\":\"ev\"}".to_owned());
        let event = Message::Event {
            seq: Seq(1),
            left: None,
            doc,
        };
        let encoded = event.encode(NodeId::random());
        let address = encoded.as_ptr();
        let Some((_, Message::Event { doc, .. })) = Message::decode(encoded) else {
            unreachable!()
        };
        assert_eq!(doc.as_ptr(), address.wrapping_add(HEADER_BYTES + 8));
    }
}
