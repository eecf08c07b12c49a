//! Guests: a nickname and nothing else.

use chat_store::NewGuest;
use chat_types::account::{CreateGuest, SignedIn};
use chat_types::text::Nickname;

use super::{names, session};
use crate::error::ApiError;
use crate::extract::Client;
use crate::state::AppState;

/// Makes a guest, named as wished or with a number behind it, and signs them in.
pub(super) async fn create(
    state: &AppState,
    client: &Client,
    request: CreateGuest,
) -> Result<SignedIn, ApiError> {
    let name =
        Nickname::parse(&request.name).map_err(|reason| ApiError::invalid("name", reason))?;
    state.rates.guests.take(client.key(), state.now())?;
    let guest = NewGuest {
        id: state.new_user_id(),
        names: names::candidates(name),
        at: state.now(),
    };
    let user = state.store.create_guest(guest).await?;
    session::begin(state, client, &user).await
}
