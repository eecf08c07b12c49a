//! Who uses this device: the refresh token in the storage, the access token in memory, and at most
//! one refresh under way, whoever asks.

use std::rc::Rc;

use chat_types::account::{CreateGuest, Empty, Refresh, Register, SignIn, SignedIn};
use chat_types::decode::{self, Decode, Fields};
use chat_types::endpoint::{
    Access, CreateSession, Endpoint, JoinAsGuest, OfferName, RefreshSession, RegisterAccount,
    SignOut,
};
use chat_types::event::{User, UserKind};
use chat_types::id::UserId;
use chat_types::problem::ErrorCode;
use chat_types::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use leptos::prelude::*;
use leptos::task::spawn_local;
use send_wrapper::SendWrapper;
use serde::Serialize;
use serde_json::Value;

use crate::api::http::{self, ApiError};
use crate::api::storage::{self, Reach, SESSION};
use crate::api::time;

/// An access token is not used in its last moments: the request takes time too.
const MARGIN_MS: u64 = 20_000;

/// What survives a reload.
#[derive(Clone, Serialize)]
struct Stored {
    user: User,
    refresh_token: String,
}

/// An access token and when it ends by this device's clock.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub token: String,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// What the connection is told.
pub enum SessionEvent {
    /// Somebody joined, registered or signed in.
    SignedIn(User, Token),
    /// The same session has a new token.
    Refreshed(Token),
    /// Signed out on this device.
    SignedOut,
    /// Signed out in another tab.
    Ended,
}

type Flight = Shared<LocalBoxFuture<'static, Result<Token, ApiError>>>;
type Listener = Rc<dyn Fn(SessionEvent)>;

/// The session of this page.
#[derive(Clone, Copy)]
pub struct Session {
    user: RwSignal<Option<User>>,
    restored: RwSignal<bool>,
    ended: RwSignal<bool>,
    token: StoredValue<Option<Token>>,
    flight: StoredValue<Option<SendWrapper<Flight>>>,
    listener: StoredValue<Option<SendWrapper<Listener>>>,
}

/// Puts an empty session into the context; [`Session::restore`] fills it in the browser.
pub fn provide_session() -> Session {
    let session = Session {
        user: RwSignal::new(None),
        restored: RwSignal::new(false),
        ended: RwSignal::new(false),
        token: StoredValue::new(None),
        flight: StoredValue::new(None),
        listener: StoredValue::new(None),
    };
    provide_context(session);
    session
}

/// The session of this page.
pub fn use_session() -> Session {
    expect_context()
}

impl Session {
    /// Who uses this device; `None` for a visitor.
    pub fn user(self) -> Signal<Option<User>> {
        self.user.into()
    }

    /// Whether the stored login has been looked for.
    pub fn restored(self) -> Signal<bool> {
        self.restored.into()
    }

    /// Whether the last login ended otherwise than by signing out here.
    pub fn ended(self) -> Signal<bool> {
        self.ended.into()
    }

    /// Looks for a stored login.
    pub fn restore(self) {
        let user = stored().map(|stored| stored.user);
        storage::lend(user.as_ref().is_some_and(may_be_lent));
        self.user.set(user);
        self.restored.set(true);
    }

    /// Takes up a stored login that has come into sight only now, unless somebody joined meanwhile.
    pub fn restore_late(self) {
        if self.id().is_none() && stored().is_some() {
            spawn_local(async move {
                // Where it fails, they are the visitor that they were.
                let _ = self.refresh().await;
            });
        }
    }

    /// Tells the connection what happens to the session.
    pub fn listen(self, listener: impl Fn(SessionEvent) + 'static) {
        self.listener
            .set_value(Some(SendWrapper::new(Rc::new(listener))));
    }

    /// A name to offer to a visitor.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn offer_name(self) -> Result<String, ApiError> {
        Ok(http::call::<OfferName>(&Empty {}).await?.name)
    }

    /// Joins as a guest.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn join(self, name: String) -> Result<(), ApiError> {
        let signed_in = http::call::<JoinAsGuest>(&CreateGuest { name }).await?;
        self.signed_in(signed_in);
        Ok(())
    }

    /// Makes an account; a guest keeps their id and messages.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn register(
        self,
        username: String,
        password: String,
        name: Option<String>,
    ) -> Result<(), ApiError> {
        let body = Register {
            username,
            password,
            name,
        };
        let signed_in = self.call::<RegisterAccount>(&[], &Empty {}, &body).await?;
        self.signed_in(signed_in);
        Ok(())
    }

    /// Signs in with an account.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn sign_in(self, username: String, password: String) -> Result<(), ApiError> {
        let body = SignIn { username, password };
        let signed_in = http::call::<CreateSession>(&body).await?;
        self.signed_in(signed_in);
        Ok(())
    }

    /// Signs out: at once on this device, and at the server by a request that outlives the page.
    pub fn sign_out(self) {
        let (token, kept) = (self.fresh_token(), stored());
        self.forget();
        self.ended.set(false);
        self.tell(SessionEvent::SignedOut);
        spawn_local(async move {
            // A server that cannot be reached now keeps the session until it ends by itself.
            let _ = tell_server(token, kept).await;
        });
    }

    /// Forgets the session on this device, because it ended.
    pub fn forget(self) {
        storage::remove(Reach::Device, SESSION);
        self.leave();
    }

    /// Another tab has signed out. What is stored by now is somebody's next login.
    pub fn ended_elsewhere(self) {
        if self.id().is_some() {
            self.leave();
            self.tell(SessionEvent::Ended);
        }
    }

    fn leave(self) {
        storage::lend(false);
        self.token.set_value(None);
        self.flight.set_value(None);
        if self.id().is_some() {
            self.ended.set(true);
        }
        self.user.set(None);
    }

    /// Calls an endpoint as this user, or as a visitor where the endpoint allows it.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn call<E: Endpoint>(
        self,
        path: &[(&str, String)],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, ApiError> {
        let request = http::Request::to::<E>(path, query, body);
        http::read::<E>(&self.send(E::ACCESS, &request).await?)
    }

    async fn send(self, access: Access, request: &http::Request) -> Result<String, ApiError> {
        let known = self.user.with_untracked(Option::is_some) && access != Access::Anyone;
        if !known {
            return request.send(None).await;
        }
        let token = self.access_token().await?;
        match request.send(Some(&token.token)).await {
            // Its session may be over because another tab has begun a new one.
            Err(ApiError {
                code: ErrorCode::TokenExpired | ErrorCode::Unauthorized,
                ..
            }) => {
                self.token.set_value(None);
                let token = self.access_token().await?;
                request.send(Some(&token.token)).await
            }
            answer => answer,
        }
    }

    /// A valid access token, refreshed when the one at hand is about to end.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`] when the session has ended, else as [`http::call`].
    pub async fn access_token(self) -> Result<Token, ApiError> {
        match self.fresh_token() {
            Some(token) => Ok(token),
            None => self.refresh().await,
        }
    }

    /// The access token at hand, unless it is about to end.
    pub fn fresh_token(self) -> Option<Token> {
        let usable = |token: &Token| token.ends_at > time::now().plus_ms(MARGIN_MS);
        self.token.get_value().filter(usable)
    }

    /// Exchanges the refresh token. Whoever asks while an exchange is under way gets its result.
    ///
    /// # Errors
    /// As [`Session::access_token`].
    pub async fn refresh(self) -> Result<Token, ApiError> {
        let under_way = self.flight.get_value().map(|flight| (*flight).clone());
        let flight = under_way.unwrap_or_else(|| {
            let flight: Flight = self.exchange().boxed_local().shared();
            self.flight
                .set_value(Some(SendWrapper::new(flight.clone())));
            flight
        });
        let result = flight.clone().await;
        self.flight.update_value(|under_way| {
            under_way.take_if(|under_way| under_way.ptr_eq(&flight));
        });
        result
    }

    /// Reads the token at the last moment, from the storage or from the page around the frame: another
    /// tab may have renewed it.
    async fn exchange(self) -> Result<Token, ApiError> {
        let ended = ApiError {
            code: ErrorCode::Unauthorized,
            ..ApiError::UNREACHABLE
        };
        loop {
            if !storage::load().await {
                // What is known here may be used up: to present it would end the session.
                return Err(ApiError::UNREACHABLE);
            }
            let before = self.id();
            let Some(Stored { refresh_token, .. }) = stored() else {
                self.forget();
                return Err(ended);
            };
            let presented = Refresh { refresh_token };
            match http::call::<RefreshSession>(&presented).await {
                // Signed out, or somebody else, while it was under way.
                _ if self.id() != before => return Err(ApiError::UNREACHABLE),
                Ok(signed_in) => return Ok(self.renewed(before, signed_in)),
                Err(error) if error.code == ErrorCode::Unauthorized => {
                    let newer = |kept: Stored| kept.refresh_token != presented.refresh_token;
                    if !stored().is_some_and(newer) {
                        self.forget();
                        return Err(ended);
                    }
                    // Another tab has a new login: that is presented next.
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn renewed(self, before: Option<UserId>, signed_in: SignedIn) -> Token {
        let token = self.keep(&signed_in);
        let same = before == Some(signed_in.user.id);
        self.tell(if same {
            SessionEvent::Refreshed(token.clone())
        } else {
            SessionEvent::SignedIn(signed_in.user, token.clone())
        });
        token
    }

    fn signed_in(self, signed_in: SignedIn) {
        let token = self.keep(&signed_in);
        self.tell(SessionEvent::SignedIn(signed_in.user, token));
    }

    /// Whose session it is now, without following it.
    pub fn id(self) -> Option<UserId> {
        self.user
            .try_with_untracked(|user| user.as_ref().map(|user| user.id))?
    }

    fn keep(self, signed_in: &SignedIn) -> Token {
        storage::lend(may_be_lent(&signed_in.user));
        let stored = Stored {
            user: signed_in.user.clone(),
            refresh_token: signed_in.tokens.refresh_token.clone(),
        };
        if let Ok(text) = serde_json::to_string(&stored) {
            storage::set(Reach::Device, SESSION, &text);
        }
        let token = Token {
            token: signed_in.tokens.access_token.clone(),
            ends_at: time::now().plus_ms(signed_in.tokens.expires_in_ms),
        };
        self.token.set_value(Some(token.clone()));
        self.ended.set(false);
        if self
            .user
            .with_untracked(|user| user.as_ref() != Some(&signed_in.user))
        {
            self.user.set(Some(signed_in.user.clone()));
        }
        token
    }

    fn tell(self, event: SessionEvent) {
        if let Some(listener) = self.listener.get_value() {
            listener(event);
        }
    }
}

impl Decode for Stored {
    fn decode(tree: Value) -> Option<Self> {
        let mut fields = Fields::of(tree)?;
        Some(Self {
            user: fields.need("user")?,
            refresh_token: fields.need("refresh_token")?,
        })
    }
}

fn stored() -> Option<Stored> {
    decode::from_text(&storage::get(Reach::Device, SESSION)?)
}

/// Whether the page around a frame may keep this user's login: a guest's name is good for the rooms of
/// that site, an account is much more than that.
fn may_be_lent(user: &User) -> bool {
    user.kind == UserKind::Guest
}

/// Ends a session at the server, with the token at hand or a last new one.
async fn tell_server(token: Option<Token>, kept: Option<Stored>) -> Result<(), ApiError> {
    let token = match (token, kept) {
        (Some(token), _) => token.token,
        (None, Some(Stored { refresh_token, .. })) => {
            let renewed = http::call::<RefreshSession>(&Refresh { refresh_token }).await?;
            renewed.tokens.access_token
        }
        (None, None) => return Ok(()),
    };
    let request = http::Request::to::<SignOut>(&[], &Empty {}, &Empty {}).outliving_page();
    request.send(Some(&token)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guests_login_is_lent_to_the_page_around_a_frame() {
        let user = |kind| User {
            id: UserId::from_uuid(uuid::Uuid::nil()),
            name: "mina".to_owned(),
            kind,
        };
        assert!(may_be_lent(&user(UserKind::Guest)));
        assert!(!may_be_lent(&user(UserKind::Account)));
        assert!(!may_be_lent(&user(UserKind::Unknown)));
    }
}
