//! Who the user is, and the token that proves it: renewal, sign-in, sign-out.

use chat_types::event::{User, UserKind};
use chat_types::id::RoomId;
use chat_types::time::Timestamp;
use chat_types::ws::Command;

use super::connection::Link;
use super::{AccessToken, Client, Request, Session};
use crate::effect::{Effect, Notice, RoomChange};
use crate::row::{Pending, RowKey};

/// A token that ends so soon is not greeted with.
const TOKEN_MARGIN_MS: u64 = 5_000;
/// A refresh that is not answered within this counts as failed.
const REFRESH_MS: u64 = 30_000;
/// The first pause after a failed refresh; each one after it is twice as long.
const RETRY_BASE_MS: u64 = 1_000;
/// No pause is longer.
const RETRY_CAP_MS: u64 = 30_000;

/// Visitor, or a session with its token.
pub(super) enum Auth {
    Visitor,
    User {
        token: Option<Token>,
        refresh: Refresh,
    },
}

pub(super) struct Token {
    text: String,
    ends_at: Timestamp,
}

/// The renewal of the token.
pub(super) enum Refresh {
    Idle,
    Asked { until: Timestamp, failures: u32 },
    Later { at: Timestamp, failures: u32 },
}

impl Auth {
    pub(super) fn new(session: Session, now: Timestamp) -> (Self, Option<User>) {
        match session {
            Session::Visitor => (Self::Visitor, None),
            Session::User { user, token } => {
                let token = token.map(|token| Token::new(token, now));
                let refresh = Refresh::Idle;
                (Self::User { token, refresh }, user)
            }
        }
    }

    /// The token to greet with.
    pub(super) fn token(&self) -> Option<String> {
        match self {
            Self::User {
                token: Some(token), ..
            } => Some(token.text.clone()),
            _ => None,
        }
    }

    /// The server does not take the token any more.
    pub(super) fn token_ended(&mut self) {
        if let Self::User { token, .. } = self {
            *token = None;
        }
    }

    /// Does not wait any longer before the next refresh.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        if let Self::User {
            refresh: Refresh::Later { at, .. },
            ..
        } = self
        {
            *at = (*at).min(now);
        }
    }

    pub(super) fn wake(&self) -> Option<Timestamp> {
        match self {
            Self::Visitor => None,
            Self::User { refresh, .. } => match refresh {
                Refresh::Idle => None,
                Refresh::Asked { until, .. } => Some(*until),
                Refresh::Later { at, .. } => Some(*at),
            },
        }
    }
}

impl Token {
    fn new(token: AccessToken, now: Timestamp) -> Self {
        Self {
            text: token.token,
            ends_at: now.plus_ms(token.expires_in_ms),
        }
    }
}

impl Client {
    /// Whether a token has to be fetched before the server is greeted.
    pub(super) fn needs_token(&self, now: Timestamp) -> bool {
        match &self.auth {
            Auth::Visitor => false,
            Auth::User { token, .. } => token
                .as_ref()
                .is_none_or(|token| token.ends_at <= now.plus_ms(TOKEN_MARGIN_MS)),
        }
    }

    /// Asks for a new token unless that is under way.
    pub(super) fn ask_refresh(&mut self, now: Timestamp) {
        if let Auth::User { refresh, .. } = &mut self.auth
            && matches!(refresh, Refresh::Idle)
        {
            let until = now.plus_ms(REFRESH_MS);
            *refresh = Refresh::Asked { until, failures: 0 };
            self.effects.push_back(Effect::RefreshToken);
        }
    }

    pub(super) fn check_refresh(&mut self, now: Timestamp) {
        let Auth::User { refresh, .. } = &mut self.auth else {
            return;
        };
        match *refresh {
            Refresh::Asked { until, .. } if until <= now => self.refresh_failed(now, None),
            Refresh::Later { at, failures } if at <= now => {
                let until = now.plus_ms(REFRESH_MS);
                *refresh = Refresh::Asked { until, failures };
                self.effects.push_back(Effect::RefreshToken);
            }
            _ => {}
        }
    }

    pub(super) fn refresh_failed(&mut self, now: Timestamp, retry_after_ms: Option<u64>) {
        let Auth::User { refresh, .. } = &mut self.auth else {
            return;
        };
        let Refresh::Asked { failures, .. } = *refresh else {
            return;
        };
        let longest = RETRY_BASE_MS
            .saturating_mul(1 << failures.min(16))
            .min(RETRY_CAP_MS);
        let pause = longest / 2 + self.rng.up_to(longest / 2);
        *refresh = Refresh::Later {
            at: now.plus_ms(pause.max(retry_after_ms.unwrap_or(0))),
            failures: failures.saturating_add(1),
        };
    }

    pub(super) fn token_refreshed(&mut self, now: Timestamp, token: AccessToken) {
        let Auth::User { .. } = self.auth else {
            return;
        };
        self.auth = Auth::User {
            token: Some(Token::new(token, now)),
            refresh: Refresh::Idle,
        };
        self.use_token(now);
    }

    fn use_token(&mut self, now: Timestamp) {
        match self.link {
            Link::NeedsToken => self.connect(now),
            Link::Online(_) => self.authenticate(now),
            _ => {}
        }
    }

    /// Shows the token on the open socket.
    fn authenticate(&mut self, now: Timestamp) {
        if let Some(token) = self.auth.token() {
            self.ask(now, Request::Auth, |id| Command::Auth { id, token });
        }
    }

    pub(super) fn authenticated(&mut self, now: Timestamp) {
        let Link::Online(online) = &mut self.link else {
            return;
        };
        if std::mem::replace(&mut online.authorised, true) {
            return;
        }
        // A visitor until now: rooms have an own membership and read position. What an account
        // reacted to elsewhere is in no row yet, so its rooms start afresh; a guest is new.
        let account = self
            .user
            .as_ref()
            .is_some_and(|user| user.kind != UserKind::Guest);
        let rooms: Vec<RoomId> = self.rooms.keys().collect();
        for room in rooms {
            if account && let Some(state) = self.rooms.get_mut(room) {
                state.feed.forget();
            }
            self.subscribe(now, room);
        }
        self.resend_commands();
    }

    /// The token was refused on an open socket.
    pub(super) fn auth_refused(&mut self, now: Timestamp, error: &chat_types::ws::Err) {
        self.auth.token_ended();
        self.drop_connection(now, error.retry_after_ms);
    }

    pub(super) fn signed_in(&mut self, now: Timestamp, user: User, token: AccessToken) {
        let was_visitor = matches!(self.auth, Auth::Visitor);
        let same = self.user.as_ref().is_some_and(|known| known.id == user.id);
        let token = Some(Token::new(token, now));
        let refresh = Refresh::Idle;
        self.auth = Auth::User { token, refresh };
        self.become_user(Some(user));
        let user = self.user.clone();
        self.notify(Notice::Identity(user));
        if was_visitor || same {
            self.use_token(now);
        } else {
            self.forget_rooms();
            self.reconnect_at_once(now);
        }
        self.start(now);
    }

    /// The session has ended: the user reads on as a visitor. What they wrote waits for them.
    pub(super) fn token_refused(&mut self, now: Timestamp) {
        if matches!(self.auth, Auth::Visitor) {
            return;
        }
        self.auth = Auth::Visitor;
        self.become_user(None);
        self.forget_rooms();
        self.notify(Notice::SessionEnded);
        self.notify(Notice::Identity(None));
        self.reconnect_at_once(now);
    }

    pub(super) fn signed_out(&mut self, now: Timestamp) {
        self.auth = Auth::Visitor;
        let dropped = self.outbox.clear();
        self.removed(dropped);
        self.become_user(None);
        self.commands.clear();
        self.forget_rooms();
        self.notify(Notice::Identity(None));
        self.reconnect_at_once(now);
    }

    /// The server's word on who is connected.
    pub(super) fn identified(&mut self, now: Timestamp, user: Option<User>) {
        match user {
            Some(user) => {
                let other = self.user.as_ref().is_some_and(|known| known.id != user.id);
                if other {
                    self.forget_rooms();
                }
                self.become_user(Some(user));
                let user = self.user.clone();
                self.notify(Notice::Identity(user));
            }
            // Signed in while the greeting was under way.
            None if matches!(self.auth, Auth::User { .. }) => self.authenticate(now),
            None => self.notify(Notice::Identity(None)),
        }
    }

    /// Changes whose rows are the user's own, and whose messages wait.
    fn become_user(&mut self, user: Option<User>) {
        let before = self.user.as_ref().map(|user| user.id);
        let after = user.as_ref().map(|user| user.id);
        self.user = user;
        if let Some(user) = after {
            let dropped = self.outbox.adopt(user);
            self.removed(dropped);
        }
        if before == after {
            return;
        }
        let rooms: Vec<RoomId> = self.rooms.keys().collect();
        for room in rooms {
            if let Some(state) = self.rooms.get_mut(room) {
                state.timeline.claim(after);
            }
            self.take_confirmed(room, Vec::new());
            self.notify_room(room, RoomChange::Reset);
        }
    }

    fn removed(&mut self, dropped: Vec<Pending>) {
        for pending in dropped {
            let key = RowKey::Own(pending.client_id);
            self.notify_room(pending.room, RoomChange::Removed(key));
        }
    }
}
