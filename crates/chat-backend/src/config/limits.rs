//! How often things may be done, in words of the environment.

use clap::Args;

use crate::rate_limit::Rate;

/// How often things may be done: `20/1m` is a bucket of 20 that refills within a minute.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// Guests made, per address.
    #[arg(
        long = "limit-guests",
        env = "CHAT_LIMIT_GUESTS",
        default_value = "20/1m"
    )]
    pub guests: Rate,
    /// Accounts made, per address.
    #[arg(
        long = "limit-registrations",
        env = "CHAT_LIMIT_REGISTRATIONS",
        default_value = "10/10m"
    )]
    pub registrations: Rate,
    /// Sign-ins tried, per account and address.
    #[arg(
        long = "limit-sign-ins",
        env = "CHAT_LIMIT_SIGN_INS",
        default_value = "5/1m"
    )]
    pub sign_ins: Rate,
    /// Sign-ins tried, per address.
    #[arg(
        long = "limit-sign-ins-of-address",
        env = "CHAT_LIMIT_SIGN_INS_OF_ADDRESS",
        default_value = "30/1m"
    )]
    pub sign_ins_of_address: Rate,
    /// Refreshed sessions, per address.
    #[arg(
        long = "limit-refreshes",
        env = "CHAT_LIMIT_REFRESHES",
        default_value = "120/1m"
    )]
    pub refreshes: Rate,
    /// Messages, per user and room.
    #[arg(long = "limit-sends", env = "CHAT_LIMIT_SENDS", default_value = "5/5s")]
    pub sends: Rate,
    /// Messages, per user over all rooms.
    #[arg(
        long = "limit-user-sends",
        env = "CHAT_LIMIT_USER_SENDS",
        default_value = "20/10s"
    )]
    pub user_sends: Rate,
    /// Messages and edits, per room.
    #[arg(
        long = "limit-room-sends",
        env = "CHAT_LIMIT_ROOM_SENDS",
        default_value = "50/1s"
    )]
    pub room_sends: Rate,
    /// Messages and edits of guests, per address.
    #[arg(
        long = "limit-guest-sends",
        env = "CHAT_LIMIT_GUEST_SENDS",
        default_value = "100/10s"
    )]
    pub guest_sends: Rate,
    /// Messages sent again that were committed already, per user; they are answered and not stored.
    #[arg(
        long = "limit-repeats",
        env = "CHAT_LIMIT_REPEATS",
        default_value = "60/10s"
    )]
    pub repeats: Rate,
    /// Read positions, per user; of those that a socket tells too often the furthest is stored later.
    #[arg(
        long = "limit-read-positions",
        env = "CHAT_LIMIT_READ_POSITIONS",
        default_value = "30/10s"
    )]
    pub read_positions: Rate,
    /// Edits, reactions, pins, joins and other changes, per user.
    #[arg(
        long = "limit-changes",
        env = "CHAT_LIMIT_CHANGES",
        default_value = "30/10s"
    )]
    pub changes: Rate,
    /// Deletions, reactions and pins, per room; an edit counts as a message of the room.
    #[arg(
        long = "limit-room-changes",
        env = "CHAT_LIMIT_ROOM_CHANGES",
        default_value = "50/1s"
    )]
    pub room_changes: Rate,
    /// Deletions, reactions and pins of guests, per address; an edit counts as a message of theirs.
    #[arg(
        long = "limit-guest-changes",
        env = "CHAT_LIMIT_GUEST_CHANGES",
        default_value = "100/10s"
    )]
    pub guest_changes: Rate,
    /// Rooms and invites made, per user.
    #[arg(
        long = "limit-creations",
        env = "CHAT_LIMIT_CREATIONS",
        default_value = "10/1m"
    )]
    pub creations: Rate,
    /// Public and private rooms made by guests, per address.
    #[arg(
        long = "limit-guest-rooms",
        env = "CHAT_LIMIT_GUEST_ROOMS",
        default_value = "20/1h"
    )]
    pub guest_rooms: Rate,
    /// Invites tried, per user.
    #[arg(
        long = "limit-invites",
        env = "CHAT_LIMIT_INVITES",
        default_value = "10/1m"
    )]
    pub invites: Rate,
    /// Page rooms opened, per address.
    #[arg(
        long = "limit-pages",
        env = "CHAT_LIMIT_PAGES",
        default_value = "60/1m"
    )]
    pub pages: Rate,
    /// Sites asked for that are not configured, per address; those that are have no rate.
    #[arg(
        long = "limit-unknown-sites",
        env = "CHAT_LIMIT_UNKNOWN_SITES",
        default_value = "300/1m"
    )]
    pub unknown_sites: Rate,
    /// Lists, pages of history and snapshots read, over HTTP or a socket, and sockets greeted, per
    /// address.
    #[arg(
        long = "limit-reads",
        env = "CHAT_LIMIT_READS",
        default_value = "300/1m"
    )]
    pub reads: Rate,
}
