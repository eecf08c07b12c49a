//! Who the caller is: guests, accounts, sessions and tokens, and the service's own description.

use serde::{Deserialize, Serialize};

use crate::event::User;
use crate::id::SessionId;
use crate::limits::Limits;
use crate::time::Timestamp;

/// `POST /v1/guests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateGuest {
    /// The nickname, 2 to 15 characters. A clash gets a suffix rather than a refusal.
    pub name: String,
}

/// `POST /v1/accounts`. With a guest's token it upgrades that guest, who keeps id and messages.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Register {
    /// The name to sign in with, 3 to 30 characters.
    pub username: String,
    /// 15 to 256 characters.
    pub password: String,
    /// The name to show; absent: the guest's name, or the username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `POST /v1/sessions`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignIn {
    /// The username.
    pub username: String,
    /// The password.
    pub password: String,
}

/// `POST /v1/sessions/refresh`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refresh {
    /// The newest refresh token of the session.
    pub refresh_token: String,
}

/// `PUT /v1/me/password`. Ends every other session.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangePassword {
    /// The password until now.
    pub current: String,
    /// The password from now on.
    pub new: String,
}

/// A signed-in session's tokens. They travel in bodies and headers, never in a URL or a cookie.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tokens {
    /// A JWT for the `Authorization: Bearer` header and the socket's `hello`.
    pub access_token: String,
    /// Milliseconds until the access token ends, counted from when this was sent.
    pub expires_in_ms: u64,
    /// Gets the next pair, once.
    pub refresh_token: String,
}

/// The answer to joining, registering, signing in and refreshing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedIn {
    /// Who the caller is now.
    pub user: User,
    /// Which session this is.
    pub session: SessionId,
    /// The session's tokens.
    pub tokens: Tokens,
}

/// `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Me {
    /// The caller.
    pub user: User,
    /// The name they sign in with; absent for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The session of this request.
    pub session: SessionId,
}

/// One login, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Which session.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When its tokens were last renewed.
    pub last_used_at: Timestamp,
    /// The device in words, from the user agent; untrusted text, at most 200 characters.
    pub device: String,
    /// Whether it is the session of this request.
    pub current: bool,
}

/// `GET /v1/sessions`: newest use first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// The caller's live sessions.
    pub sessions: Vec<Session>,
}

/// `GET /v1/names`: a nickname to offer to a visitor. Nothing is reserved by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfferedName {
    /// The name.
    pub name: String,
}

/// `GET /v1/meta`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Meta {
    /// The server's release.
    pub version: String,
    /// The protocols that it speaks, as WebSocket subprotocols.
    pub protocols: Vec<String>,
    /// The oldest client release that it serves.
    pub oldest_client: String,
    /// The server's clock.
    pub now: Timestamp,
    /// The limits in force.
    pub limits: Limits,
}

/// An empty body, `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Empty {}
