//! Rooms are made: by a user, by the first visit to a page, by the first word between two.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_store::{NewRoom, StoreError};
use chat_types::event::UserKind;
use chat_types::id::{Epoch, Number, PageKey, UserId};
use chat_types::limits::ROOM_NAME_CHARS;
use chat_types::room::{CreateRoom, OpenDirect, OpenPage, RoomKind, RoomSummary};
use chat_types::text::{RoomName, Topic};

use super::{parse_name, parse_topic, summary};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Client;
use crate::state::AppState;

/// Makes a public or private room that the caller owns. Guests of one address share a rate: anybody
/// can be many of them, and fill the directory.
pub(super) async fn create(
    state: &AppState,
    client: &Client,
    caller: &Caller,
    request: CreateRoom,
) -> Result<RoomSummary, ApiError> {
    if !matches!(request.kind, RoomKind::Public | RoomKind::Private) {
        return Err(ApiError::invalid_value(
            "kind",
            "a room is made public or private",
        ));
    }
    let name = parse_name(&request.name)?;
    let topic = parse_topic(&request.topic)?;
    let (rates, now) = (&state.rates, state.now());
    let own = rates.creations.draw(caller.user.id, now)?;
    if caller.user.kind != UserKind::Account {
        rates.guest_rooms.take(client.key(), now)?;
    }
    own.spend();
    let room = new_room(state, request.kind, Some(name), Some(topic));
    let record = state.store.create_room(room, caller.user.id).await?;
    let summary = summary(state, Some(caller.user.id), record.room.id).await?;
    state.hub.room_added(caller.user.id, &summary);
    Ok(summary)
}

/// Makes the room that a new installation begins with, if the configuration names one and this is
/// the first start.
///
/// # Errors
/// When the store cannot take it.
pub async fn open_first(state: &AppState) -> Result<(), StoreError> {
    if let Some(name) = &state.config.first_room.0 {
        let room = new_room(state, RoomKind::Public, Some(name.clone()), None);
        state.store.open_first(room).await?;
    }
    Ok(())
}

/// The room of a page of a site, made by its first visit.
pub(super) async fn open_page(
    state: &AppState,
    client: &Client,
    viewer: Option<UserId>,
    request: OpenPage,
) -> Result<RoomSummary, ApiError> {
    state.rates.pages.take(client.key(), state.now())?;
    let name = page_name(request.title.as_deref(), &request.page);
    let room = new_room(state, RoomKind::Page, Some(name), None);
    let (record, _made) = state
        .store
        .open_page(&request.site, &request.page, room)
        .await?;
    summary(state, viewer, record.room.id).await
}

/// The page's title as far as it makes a name, else the page's key, which always does.
fn page_name(title: Option<&str>, page: &PageKey) -> RoomName {
    let cut = |text: &str| text.chars().take(ROOM_NAME_CHARS).collect::<String>();
    let title = title
        .map(str::trim)
        .and_then(|title| RoomName::parse(&cut(title)).ok());
    title.unwrap_or_else(|| {
        RoomName::parse(&cut(page.as_str())).expect("visible ASCII of this length is a name")
    })
}

/// The direct room of the caller and another user, made if there is none.
///
/// # Errors
/// `invalid` for oneself, `not_found` for nobody.
pub(super) async fn open_direct(
    state: &AppState,
    caller: &Caller,
    request: OpenDirect,
) -> Result<RoomSummary, ApiError> {
    let (me, peer) = (caller.user.id, request.user);
    if me == peer {
        return Err(ApiError::invalid_value(
            "user",
            "a direct room has two different users",
        ));
    }
    state.rates.creations.take(me, state.now())?;
    let room = new_room(state, RoomKind::Direct, None, None);
    let (record, made) = state.store.open_direct((me, peer), room).await?;
    // Also while nobody has written: the attempt that made the room may have ended before it told.
    let is_new = made || record.last_number == Number(0);
    if is_new {
        let theirs = summary(state, Some(peer), record.room.id).await?;
        state.hub.room_added(peer, &theirs);
    }
    let mine = summary(state, Some(me), record.room.id).await?;
    if is_new {
        state.hub.room_added(me, &mine);
    }
    Ok(mine)
}

fn new_room(
    state: &AppState,
    kind: RoomKind,
    name: Option<RoomName>,
    topic: Option<Topic>,
) -> NewRoom {
    NewRoom {
        id: state.new_room_id(),
        kind,
        name,
        topic,
        epoch: Epoch(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 9]>())),
        at: state.now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_room_is_named_by_its_title_or_else_by_its_key() {
        let page: PageKey = "/posts/rust?id=1".parse().unwrap();
        let named = |title: Option<&str>| page_name(title, &page).to_string();
        assert_eq!(named(Some("  러스트로 채팅 ")), "러스트로 채팅");
        assert_eq!(named(Some(&"가".repeat(70))), "가".repeat(60));
        assert_eq!(named(Some(" \u{202e} ")), "/posts/rust?id=1");
        assert_eq!(named(None), "/posts/rust?id=1");
        let long: PageKey = "x".repeat(200).parse().unwrap();
        assert_eq!(page_name(None, &long).as_str().len(), 60);
    }
}
