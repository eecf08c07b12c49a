//! Reading a page of a room's messages.

use chat_store::HistoryFrom;
use chat_types::id::RoomId;
use chat_types::limits::HISTORY_PAGE;
use chat_types::room::{History, HistoryQuery};

use crate::api::page_size;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::rooms::may_read;
use crate::state::AppState;

/// A page of history, for those who may read the room.
pub(super) async fn read(
    state: &AppState,
    caller: Option<&Caller>,
    room: RoomId,
    query: &HistoryQuery,
) -> Result<History, ApiError> {
    let from = parse(query)?;
    let limit = page_size(query.limit, HISTORY_PAGE)?;
    may_read(state, caller, room).await?;
    let viewer = caller.map(|caller| caller.user.id);
    Ok(state.store.history(room, viewer, from, limit).await?)
}

fn parse(query: &HistoryQuery) -> Result<HistoryFrom, ApiError> {
    match (query.before, query.after, query.around) {
        (None, None, None) => Ok(HistoryFrom::Newest),
        (Some(number), None, None) => Ok(HistoryFrom::Before(number)),
        (None, Some(number), None) => Ok(HistoryFrom::After(number)),
        (None, None, Some(number)) => Ok(HistoryFrom::Around(number)),
        _ => Err(ApiError::invalid_value(
            "before",
            "at most one of before, after and around",
        )),
    }
}
