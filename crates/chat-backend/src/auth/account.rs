//! Accounts: register, sign in, change the password.

use chat_store::{NewAccount, NewPassword, UpgradeGuest, UserRecord};
use chat_types::account::{ChangePassword, Me, Register, SignIn, SignedIn};
use chat_types::close::CloseCode;
use chat_types::limits::NICKNAME_MAX_CHARS;
use chat_types::problem::ErrorCode;
use chat_types::text::{Nickname, Password, Username};

use super::{Caller, names, session};
use crate::error::ApiError;
use crate::extract::Client;
use crate::state::AppState;

/// What somebody registers with, read and accepted.
struct Registration {
    username: Username,
    password: Password,
    name: Option<Nickname>,
}

/// Makes an account, or makes the calling guest one, and signs them in with a session of its own.
///
/// # Errors
/// `name_taken`, `conflict` when the caller has an account already, `overloaded`.
pub(super) async fn register(
    state: &AppState,
    client: &Client,
    caller: Option<&Caller>,
    request: Register,
) -> Result<SignedIn, ApiError> {
    let registration = parse(&request)?;
    state.rates.registrations.take(client.key(), state.now())?;
    let password_hash = state.passwords.hash(registration.password.clone()).await?;
    match caller {
        Some(guest) => upgrade(state, client, guest, registration, password_hash).await,
        None => create(state, client, registration, password_hash).await,
    }
}

fn parse(request: &Register) -> Result<Registration, ApiError> {
    let refuse = |field| move |reason| ApiError::invalid(field, reason);
    let username = Username::parse(&request.username).map_err(refuse("username"))?;
    let password = parse_new_password(&request.password, &username, "password")?;
    let name = request.name.as_deref().map(Nickname::parse);
    let name = name.transpose().map_err(refuse("name"))?;
    Ok(Registration {
        username,
        password,
        name,
    })
}

fn parse_new_password(
    text: &str,
    username: &Username,
    field: &'static str,
) -> Result<Password, ApiError> {
    let password = Password::parse_for(text, username.as_str());
    password.map_err(|reason| ApiError::invalid(field, reason))
}

async fn create(
    state: &AppState,
    client: &Client,
    registration: Registration,
    password_hash: String,
) -> Result<SignedIn, ApiError> {
    let name = match registration.name {
        Some(name) => name,
        None => name_from(&registration.username)?,
    };
    let account = NewAccount {
        id: state.new_user_id(),
        username: registration.username,
        names: names::candidates(name),
        password_hash,
        at: state.now(),
    };
    let user = state.store.create_account(account).await?;
    session::begin(state, client, &user).await
}

fn name_from(username: &Username) -> Result<Nickname, ApiError> {
    let start: String = username.as_str().chars().take(NICKNAME_MAX_CHARS).collect();
    Nickname::parse(&start).map_err(|reason| ApiError::invalid("name", reason))
}

/// The same user with a password from now on. Their sockets stay open under the new session; the
/// guest's session ends, as every login does when rights grow.
async fn upgrade(
    state: &AppState,
    client: &Client,
    guest: &Caller,
    registration: Registration,
    password_hash: String,
) -> Result<SignedIn, ApiError> {
    let upgrade = UpgradeGuest {
        id: guest.user.id,
        username: registration.username,
        names: registration.name.map(names::candidates).unwrap_or_default(),
        password_hash,
        at: state.now(),
    };
    let store = state.store.clone();
    let user: UserRecord = state
        .commit(async move {
            let upgraded = store.upgrade_guest(upgrade).await?;
            Ok((upgraded.user, upgraded.events))
        })
        .await?;
    let signed_in = session::begin(state, client, &user).await?;
    state
        .hub
        .replace_session(user.id, guest.session, signed_in.session);
    state
        .store
        .revoke_session(user.id, guest.session, state.now())
        .await?;
    Ok(signed_in)
}

/// Signs in. An unknown user and a wrong password take the same time and get the same words.
///
/// # Errors
/// `bad_credentials`, `rate_limited`, `overloaded`.
pub(super) async fn sign_in(
    state: &AppState,
    client: &Client,
    request: SignIn,
) -> Result<SignedIn, ApiError> {
    let username = Username::parse(&request.username).ok();
    limit_guesses(state, client, username.as_ref())?;
    let credentials = match &username {
        Some(username) => state.store.credentials(username).await?,
        None => None,
    };
    let (user, hash) = credentials
        .map(|found| (found.user, found.password_hash))
        .unzip();
    let password = Password::parse_attempt(&request.password).ok();
    let verified = state.passwords.verify(password, hash).await?;
    match user.filter(|_| verified) {
        Some(user) => session::begin(state, client, &user).await,
        None => Err(ApiError::new(ErrorCode::BadCredentials)
            .detail("the username or the password is wrong")),
    }
}

/// Guesses cost before they are hashed: per address, and per account and address, so that a
/// stranger cannot lock the owner out.
fn limit_guesses(
    state: &AppState,
    client: &Client,
    username: Option<&Username>,
) -> Result<(), ApiError> {
    let now = state.now();
    state.rates.sign_ins_of_address.take(client.key(), now)?;
    let account = username.map(ToString::to_string).unwrap_or_default();
    state.rates.sign_ins.take((account, client.key()), now)
}

/// Changes the password and ends every other session.
///
/// # Errors
/// `bad_credentials` when `current` is wrong, `forbidden` for a guest.
pub(super) async fn change_password(
    state: &AppState,
    client: &Client,
    caller: &Caller,
    request: ChangePassword,
) -> Result<(), ApiError> {
    let guest = || ApiError::new(ErrorCode::Forbidden).detail("a guest has no password");
    let user = state.store.user(caller.user.id).await?;
    let username = user.and_then(|user| user.username).ok_or_else(guest)?;
    let username = Username::parse(&username)
        .map_err(|_| ApiError::internal("a stored username is not valid"))?;
    let new = parse_new_password(&request.new, &username, "new")?;
    limit_guesses(state, client, Some(&username))?;
    let hash = state.store.password_hash(caller.user.id).await?;
    let current = Password::parse_attempt(&request.current).ok();
    if !state.passwords.verify(current, hash).await? {
        return Err(
            ApiError::new(ErrorCode::BadCredentials).detail("the current password is wrong")
        );
    }
    let change = NewPassword {
        user: caller.user.id,
        password_hash: state.passwords.hash(new).await?,
        keep: caller.session,
        at: state.now(),
    };
    state.store.change_password(change).await?;
    let (user, keep) = (caller.user.id, Some(caller.session));
    state.hub.close_user(user, keep, CloseCode::Revoked);
    Ok(())
}

/// Who the caller is.
pub(super) async fn me(state: &AppState, caller: &Caller) -> Result<Me, ApiError> {
    let user = state.store.user(caller.user.id).await?;
    Ok(Me {
        user: caller.user.clone(),
        username: user.and_then(|user| user.username),
        session: caller.session,
    })
}
