//! Loading history that the window does not hold.

use chat_types::id::RoomId;
use chat_types::room::History;
use chat_types::time::Timestamp;

use super::Client;
use crate::effect::{Effect, RoomChange};
use crate::input::{FetchId, Span};
use crate::room::{Applied, HistoryState};

impl Client {
    pub(super) fn load_history(&mut self, room: RoomId, span: Span) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        let fetch = FetchId(self.next_fetch);
        let Some(query) = state.begin_load(fetch, span) else {
            return;
        };
        self.next_fetch += 1;
        state.history = HistoryState::Loading;
        self.notify_room(room, RoomChange::History);
        self.effects
            .push_back(Effect::FetchHistory { fetch, room, query });
    }

    pub(super) fn history_loaded(&mut self, now: Timestamp, fetch: FetchId, page: History) {
        let user = self.user.as_ref().map(|user| user.id);
        let Some(room) = self.loading_room(fetch) else {
            return;
        };
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        let Some(loading) = state.loading.take() else {
            return;
        };
        state.history = HistoryState::Failed;
        if state.epoch.as_ref() != Some(&page.epoch) {
            // The room was restored: its subscription tells how it is now.
            self.subscribe(now, room);
            self.notify_room(room, RoomChange::History);
            return;
        }
        let mut applied = Applied::default();
        if state.merge(user, loading, page, &mut applied) {
            state.history = HistoryState::Idle;
        }
        applied.changes.push(RoomChange::History);
        self.applied(room, applied);
    }

    pub(super) fn history_failed(&mut self, fetch: FetchId) {
        let Some(room) = self.loading_room(fetch) else {
            return;
        };
        if let Some(state) = self.rooms.get_mut(room) {
            state.loading = None;
            state.history = HistoryState::Failed;
        }
        self.notify_room(room, RoomChange::History);
    }

    fn loading_room(&self, fetch: FetchId) -> Option<RoomId> {
        let mut rooms = self.rooms.iter();
        rooms.find_map(|(room, state)| {
            let loading = state.loading.as_ref()?;
            (loading.fetch == fetch).then_some(room)
        })
    }
}
