//! A page of history on its way, and the changes that it may have missed.

use chat_types::event::Change;
use chat_types::id::{Number, Seq};
use chat_types::room::{History, HistoryQuery};

use super::{Applied, RoomState, Source};
use crate::effect::{Place, RoomChange};
use crate::input::{FetchId, Span};

/// Messages per page.
const PAGE: u32 = 50;
/// Changes that are remembered while a page is on its way.
const LOG: usize = 1_000;

/// A load under way.
pub(crate) struct Loading {
    pub(crate) fetch: FetchId,
    span: Span,
    /// What changed since the page was asked for: the page was read before some of it, and rows
    /// that were not held then could not be changed.
    log: Vec<(Seq, Change)>,
    lost: bool,
}

impl Loading {
    /// Remembers a change.
    pub(crate) fn note(&mut self, seq: Seq, change: &Change) {
        if self.log.len() < LOG {
            self.log.push((seq, change.clone()));
        } else {
            self.lost = true;
        }
    }
}

impl RoomState {
    /// The query that loads a span; `None` when there is nothing to load. What starts the window anew
    /// takes the place of a load under way: that one's page would not fit any more.
    pub(crate) fn begin_load(&mut self, fetch: FetchId, span: Span) -> Option<HistoryQuery> {
        let joins = matches!(span, Span::Older | Span::Newer);
        if (joins && self.loading.is_some()) || self.epoch.is_none() {
            return None;
        }
        let query = self.query(span)?;
        self.loading = Some(Loading {
            fetch,
            span,
            log: Vec::new(),
            lost: false,
        });
        Some(query)
    }

    fn query(&self, span: Span) -> Option<HistoryQuery> {
        let mut query = HistoryQuery {
            limit: Some(PAGE),
            ..HistoryQuery::default()
        };
        match span {
            Span::Older if self.timeline.more_before => query.before = self.timeline.first(),
            Span::Newer if self.timeline.more_after => query.after = self.timeline.last(),
            Span::Older | Span::Newer => return None,
            Span::Around(number) => query.around = Some(number),
            Span::Latest => {}
        }
        Some(query)
    }

    /// Merges the page of a load. Returns whether it fitted what is held now.
    pub(crate) fn merge(
        &mut self,
        user: Option<chat_types::id::UserId>,
        loading: Loading,
        page: History,
        applied: &mut Applied,
    ) -> bool {
        if loading.lost || !self.fits(loading.span, &page) {
            return false;
        }
        let head = page.head;
        let newest = page.messages.last().map_or(Number(0), |last| last.number);
        match loading.span {
            Span::Older => {
                self.timeline.more_before = page.more_before;
                self.put_page(user, page.messages, Place::Start, applied);
            }
            Span::Newer => {
                self.timeline.more_after = page.more_after;
                self.put_page(user, page.messages, Place::End, applied);
            }
            Span::Around(_) | Span::Latest => {
                self.timeline.more_before = page.more_before;
                self.timeline.more_after = page.more_after;
                self.timeline.replace(page.messages, user);
                applied.changes.push(RoomChange::Reset);
            }
        }
        self.last_number = self.last_number.max(newest);
        for (seq, change) in loading.log {
            if seq > head {
                self.apply(user, seq, change, Source::Replay, applied);
            }
        }
        let healed = self.timeline.heal_previews(user).into_iter();
        applied.changes.extend(healed.map(RoomChange::Updated));
        let dropped = match loading.span {
            Span::Older => self.timeline.trim_end(user),
            _ => self.timeline.trim_start(user),
        };
        let dropped = dropped.into_iter().map(RoomChange::Removed);
        applied.changes.extend(dropped);
        true
    }

    /// Whether a page joins the window. It may have moved since the page was asked for.
    fn fits(&self, span: Span, page: &History) -> bool {
        let first = page.messages.first().map(|message| message.number.0);
        let last = page.messages.last().map(|message| message.number.0);
        match (span, self.timeline.first(), self.timeline.last()) {
            (Span::Older, Some(held), _) => last.is_none_or(|last| last + 1 == held.0),
            (Span::Newer, _, Some(held)) => first.is_none_or(|first| first == held.0 + 1),
            _ => true,
        }
    }
}
