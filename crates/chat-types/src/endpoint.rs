//! The HTTP API as values that both sides share: method, path template, request and response type.
//! The server's router and the browser's requests are made from these, so they cannot drift apart.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::account::{
    ChangePassword, CreateGuest, Empty, Me, Meta, OfferedName, Refresh, Register, SessionList,
    SignIn, SignedIn,
};
use crate::decode::Decode;
use crate::room::{
    AcceptInvite, Changed, CreateInvite, CreateRoom, EditMessage, History, HistoryQuery, Invite,
    ListQuery, MarkRead, MemberPage, OpenDirect, OpenPage, Pin, React, RoomPage, RoomSummary,
    SendMessage, Sent, Site, UpdateRoom,
};

/// An HTTP method that the API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or does something.
    Post,
    /// Sets something; repeating it changes nothing.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name (RFC 9110, section 9.3).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone; a token is not looked at.
    Anyone,
    /// Anyone; with a token the answer is the caller's own.
    Visitor,
    /// Guests and accounts.
    User,
}

impl Access {
    /// The word for documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Visitor => "visitor",
            Self::User => "user",
        }
    }
}

/// One endpoint. `Query` and `Body` are [`Empty`] where there is none.
pub trait Endpoint {
    /// The operation's id in the API document and the name of its handler.
    const OPERATION: &'static str;
    /// One sentence for the API document.
    const SUMMARY: &'static str;
    /// The method.
    const METHOD: Method;
    /// The path; `{name}` stands for one segment.
    const PATH: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// The query string.
    type Query: Serialize + DeserializeOwned;
    /// The request's body.
    type Body: Serialize + DeserializeOwned;
    /// The body of a successful answer, which is 200 or, for what was made, 201.
    type Response: Serialize + DeserializeOwned + Decode;
}

/// One endpoint with the schemas of its types, for documents made from them.
#[cfg(feature = "schema")]
#[derive(Debug, Clone)]
pub struct Described {
    /// [`Endpoint::OPERATION`].
    pub operation: &'static str,
    /// [`Endpoint::SUMMARY`].
    pub summary: &'static str,
    /// [`Endpoint::METHOD`].
    pub method: Method,
    /// [`Endpoint::PATH`].
    pub path: &'static str,
    /// [`Endpoint::ACCESS`].
    pub access: Access,
    /// The schema of [`Endpoint::Query`].
    pub query: schemars::Schema,
    /// The schema of [`Endpoint::Body`].
    pub body: schemars::Schema,
    /// The schema of [`Endpoint::Response`].
    pub response: schemars::Schema,
}

macro_rules! endpoints {
    ($($name:ident = $operation:literal, $method:ident $path:literal, $access:ident,
        $query:ty, $body:ty => $response:ty, $summary:literal;)*) => {
        $(
            #[doc = $summary]
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Endpoint for $name {
                const OPERATION: &'static str = $operation;
                const SUMMARY: &'static str = $summary;
                const METHOD: Method = Method::$method;
                const PATH: &'static str = $path;
                const ACCESS: Access = Access::$access;
                type Query = $query;
                type Body = $body;
                type Response = $response;
            }
        )*

        /// Every endpoint's operation, method and path, in the order of the document.
        pub const ALL: &[(&str, Method, &str)] = &[$(($operation, Method::$method, $path)),*];

        /// Every endpoint with the schemas of its types, in the order of the document.
        #[cfg(feature = "schema")]
        pub fn described(generator: &mut schemars::SchemaGenerator) -> Vec<Described> {
            vec![$(Described {
                operation: $operation,
                summary: $summary,
                method: Method::$method,
                path: $path,
                access: Access::$access,
                query: generator.subschema_for::<$query>(),
                body: generator.subschema_for::<$body>(),
                response: generator.subschema_for::<$response>(),
            }),*]
        }
    };
}

endpoints! {
    GetMeta = "get_meta", Get "/v1/meta", Anyone, Empty, Empty => Meta,
        "The server's version, protocols and limits.";
    OfferName = "offer_name", Get "/v1/names", Anyone, Empty, Empty => OfferedName,
        "A nickname to offer to a visitor.";
    JoinAsGuest = "create_guest", Post "/v1/guests", Anyone, Empty, CreateGuest => SignedIn,
        "Makes a guest with a nickname and signs them in.";
    RegisterAccount = "register", Post "/v1/accounts", Visitor, Empty, Register => SignedIn,
        "Makes an account; with a guest's token it upgrades that guest.";
    CreateSession = "sign_in", Post "/v1/sessions", Anyone, Empty, SignIn => SignedIn,
        "Signs in with username and password.";
    RefreshSession = "refresh_session", Post "/v1/sessions/refresh", Anyone, Empty, Refresh => SignedIn,
        "Exchanges a refresh token for the next pair of tokens.";
    ListSessions = "list_sessions", Get "/v1/sessions", User, Empty, Empty => SessionList,
        "The caller's live sessions.";
    SignOut = "sign_out", Delete "/v1/sessions/current", User, Empty, Empty => Empty,
        "Ends this session and closes its sockets.";
    RevokeSession = "revoke_session", Delete "/v1/sessions/{session}", User, Empty, Empty => Empty,
        "Ends one of the caller's sessions and closes its sockets.";
    SignOutEverywhere = "revoke_all_sessions", Delete "/v1/sessions", User, Empty, Empty => Empty,
        "Ends all of the caller's sessions and closes their sockets.";
    GetMe = "get_me", Get "/v1/me", User, Empty, Empty => Me,
        "Who the caller is.";
    SetPassword = "change_password", Put "/v1/me/password", User, Empty, ChangePassword => Empty,
        "Changes the password and ends every other session.";
    ListRooms = "list_rooms", Get "/v1/rooms", User, ListQuery, Empty => RoomPage,
        "The caller's rooms, newest activity first.";
    ListPublicRooms = "list_public_rooms", Get "/v1/directory", Visitor, ListQuery, Empty => RoomPage,
        "Public rooms, newest activity first.";
    NewRoom = "create_room", Post "/v1/rooms", User, Empty, CreateRoom => RoomSummary,
        "Makes a public or private room; the caller owns it.";
    OpenPageRoom = "open_page", Post "/v1/pages", Visitor, Empty, OpenPage => RoomSummary,
        "The room of a page of a site, made on its first visit.";
    OpenDirectRoom = "open_direct", Post "/v1/directs", User, Empty, OpenDirect => RoomSummary,
        "The direct room with a user, made if there is none.";
    GetRoom = "get_room", Get "/v1/rooms/{room}", Visitor, Empty, Empty => RoomSummary,
        "One room.";
    PatchRoom = "update_room", Patch "/v1/rooms/{room}", User, Empty, UpdateRoom => RoomSummary,
        "Changes a room's name, topic or state.";
    JoinRoom = "join_room", Put "/v1/rooms/{room}/members/me", User, Empty, Empty => RoomSummary,
        "Joins a public or page room.";
    LeaveRoom = "leave_room", Delete "/v1/rooms/{room}/members/me", User, Empty, Empty => Empty,
        "Leaves a room.";
    ListMembers = "list_members", Get "/v1/rooms/{room}/members", Visitor, ListQuery, Empty => MemberPage,
        "Who belongs to a room.";
    NewInvite = "create_invite", Post "/v1/rooms/{room}/invites", User, Empty, CreateInvite => Invite,
        "Makes an invite to a room.";
    UseInvite = "accept_invite", Post "/v1/invites", User, Empty, AcceptInvite => RoomSummary,
        "Joins a room by an invite.";
    GetHistory = "list_messages", Get "/v1/rooms/{room}/messages", Visitor, HistoryQuery, Empty => History,
        "A page of a room's messages.";
    PostMessage = "send_message", Post "/v1/rooms/{room}/messages", User, Empty, SendMessage => Sent,
        "Sends a message; a retry with the same client id returns the first acknowledgement.";
    PatchMessage = "edit_message", Patch "/v1/rooms/{room}/messages/{message}", User, Empty, EditMessage => Changed,
        "Gives a message another text.";
    DeleteMessage = "delete_message", Delete "/v1/rooms/{room}/messages/{message}", User, Empty, Empty => Changed,
        "Deletes a message; a tombstone stays.";
    PutReaction = "react", Put "/v1/rooms/{room}/messages/{message}/reactions", User, Empty, React => Changed,
        "Puts an emoji under a message or takes it away.";
    PutPin = "pin_message", Put "/v1/rooms/{room}/messages/{message}/pin", User, Empty, Pin => Changed,
        "Pins a message or unpins it.";
    PutRead = "mark_read", Put "/v1/rooms/{room}/read", User, Empty, MarkRead => Empty,
        "Moves the caller's read position forward.";
    GetSite = "get_site", Get "/v1/sites/{site}", Anyone, Empty, Empty => Site,
        "What the front end needs to embed a site's rooms.";
}

/// The path of the event stream (server-sent events), which has no JSON answer.
pub const STREAM_PATH: &str = "/v1/rooms/{room}/stream";
/// The path of the WebSocket.
pub const SOCKET_PATH: &str = "/v1/ws";
