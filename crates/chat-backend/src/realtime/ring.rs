//! The newest events of one room, encoded once and shared by every reader.
//!
//! The ring knows which `seq` comes next. An event that comes too early waits beside it until its
//! predecessors are there; one that comes again is ignored. Readers hold only a place in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_types::id::Seq;
use tokio::time::Instant;

use super::codec::{Doc, Run};

/// Events that a ring keeps at most.
const RING_EVENTS: usize = 1024;
/// Early events that wait at most; what does not fit is read from the store when it is its turn.
const EARLY_EVENTS: usize = 1024;
/// Events that stay although the node's byte budget is used up, so that readers who keep up are
/// never sent to the store.
const SPARED_EVENTS: usize = 16;

/// The bytes that all rings of this node may hold together.
#[derive(Clone)]
pub(super) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }
}

struct Entry {
    doc: Doc,
    at: Instant,
}

/// What a reader gets from a ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The event at the reader's place.
    Doc(Doc),
    /// The reader has everything.
    UpToDate,
    /// The reader's place is no longer in the ring.
    FellOut,
}

/// What readers at one place get next, joined for all of them.
struct Joined {
    from: Seq,
    run: Run,
}

/// The newest events of a room.
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    /// The run that was asked for last: the readers of a crowd stand at few places.
    joined: Option<Joined>,
    early: BTreeMap<Seq, Doc>,
    /// The `seq` that comes next; unknown until a snapshot of the room has been read.
    next: Option<Seq>,
    budget: Budget,
}

impl Ring {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            entries: VecDeque::new(),
            joined: None,
            early: BTreeMap::new(),
            next: None,
            budget,
        }
    }

    /// The newest `seq` in order; unknown until [`Ring::anchor`].
    pub(super) fn head(&self) -> Option<Seq> {
        self.next.map(|next| Seq(next.0 - 1))
    }

    /// Tells a ring that knows no place yet where the room is. True when early events became due.
    pub(super) fn anchor(&mut self, head: Seq) -> bool {
        if self.next.is_some() {
            return false;
        }
        self.next = Some(head.next());
        self.early = self.early.split_off(&head.next());
        self.admit_early()
    }

    /// Forgets everything before `head`: readers behind it fall out.
    pub(super) fn reset(&mut self, head: Seq) {
        self.join(None);
        while self.drop_oldest() {}
        self.next = None;
        self.anchor(head);
    }

    /// Takes an event in; true when readers have news.
    pub(super) fn insert(&mut self, seq: Seq, doc: Doc) -> bool {
        match self.next {
            Some(next) if seq < next => false,
            Some(next) if seq == next => {
                self.push(doc);
                self.admit_early();
                true
            }
            _ => {
                if self.early.len() < EARLY_EVENTS {
                    self.early.insert(seq, doc);
                }
                false
            }
        }
    }

    /// Fills the places up to `upto`, with early events where they are and from `found` elsewhere;
    /// false, and nothing is filled, when a place has neither.
    pub(super) fn fill(&mut self, upto: Seq, mut found: BTreeMap<Seq, Doc>) -> bool {
        let first = self.next.map_or(upto.0 + 1, |next| next.0);
        let mut places = (first..=upto.0).map(Seq);
        if !places.all(|place| self.early.contains_key(&place) || found.contains_key(&place)) {
            return false;
        }
        for place in (first..=upto.0).map(Seq) {
            if let Some(doc) = self.early.remove(&place).or_else(|| found.remove(&place)) {
                self.push(doc);
            }
        }
        self.admit_early();
        true
    }

    /// Whether events wait for one that has not come.
    pub(super) fn has_gap(&self) -> bool {
        self.next.is_some() && !self.early.is_empty()
    }

    /// What a reader at `place` gets.
    pub(super) fn at(&self, place: Seq) -> Next {
        let Some(next) = self.next.filter(|next| place < *next) else {
            return Next::UpToDate;
        };
        let back = usize::try_from(next.0 - place.0).unwrap_or(usize::MAX);
        match self.entries.len().checked_sub(back) {
            Some(index) => Next::Doc(self.entries[index].doc.clone()),
            None => Next::FellOut,
        }
    }

    /// When the event at `place` came, while it is kept.
    pub(super) fn came_at(&self, place: Seq) -> Option<Instant> {
        let back = usize::try_from(self.next?.0.checked_sub(place.0)?).ok()?;
        let index = self.entries.len().checked_sub(back)?;
        self.entries.get(index).map(|entry| entry.at)
    }

    /// Everything that a reader at `place` gets, as far as it goes into one frame, if that is more than
    /// one event.
    pub(super) fn run_at(&mut self, place: Seq) -> Option<Run> {
        let next = self.next.filter(|next| place.next() < *next)?;
        let back = usize::try_from(next.0 - place.0).ok()?;
        let index = self.entries.len().checked_sub(back)?;
        // One that ends before the newest event is current when it filled its frame.
        let is_current = |joined: &Joined| {
            let fits = |entry: &Entry| joined.run.has_room_for(&entry.doc);
            let after = self.entries.get(index + joined.run.documents());
            joined.from == place && !after.is_some_and(fits)
        };
        if !self.joined.as_ref().is_some_and(is_current) {
            let run = Run::of(self.entries.range(index..).map(|entry| &entry.doc));
            self.join(Some(Joined { from: place, run }));
        }
        self.joined.as_ref().map(|joined| joined.run.clone())
    }

    /// Keeps a run in place of the one before.
    fn join(&mut self, joined: Option<Joined>) {
        if let Some(joined) = &joined {
            self.budget.take(joined.run.bytes());
        }
        if let Some(before) = std::mem::replace(&mut self.joined, joined) {
            self.budget.give_back(before.run.bytes());
        }
    }

    /// Drops events that every reader within the write time limit has had.
    pub(super) fn drop_older_than(&mut self, age: Duration, now: Instant) {
        while self.entries.front().is_some_and(|e| e.at + age < now) {
            self.drop_oldest();
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.join(None);
        }
    }

    fn admit_early(&mut self) -> bool {
        let mut grew = false;
        while let Some(doc) = self.next.and_then(|next| self.early.remove(&next)) {
            self.push(doc);
            grew = true;
        }
        grew
    }

    fn push(&mut self, doc: Doc) {
        self.budget.take(doc.len());
        self.entries.push_back(Entry {
            doc,
            at: Instant::now(),
        });
        self.next = self.next.map(Seq::next);
        while self.entries.len() > RING_EVENTS
            || (self.entries.len() > SPARED_EVENTS && self.budget.is_exceeded())
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        match self.entries.pop_front() {
            Some(entry) => {
                self.budget.give_back(entry.doc.len());
                true
            }
            None => false,
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.join(None);
        while self.drop_oldest() {}
    }
}

#[cfg(test)]
mod tests {
    use chat_types::limits::OUT_FRAME_DOCUMENTS;

    use super::super::codec::Frame;
    use super::*;

    fn doc(seq: u64) -> Doc {
        Doc::from(format!("event {seq}"))
    }

    fn ring_at(head: u64) -> Ring {
        let mut ring = Ring::new(Budget::new(1 << 20));
        ring.anchor(Seq(head));
        ring
    }

    fn read_from(ring: &Ring, mut place: Seq) -> Vec<Doc> {
        let mut docs = Vec::new();
        while let Next::Doc(doc) = ring.at(place) {
            docs.push(doc);
            place = place.next();
        }
        docs
    }

    #[test]
    fn events_in_any_order_are_read_in_the_order_of_the_feed() {
        let mut ring = ring_at(0);
        for seq in [3, 1, 5, 2, 4] {
            ring.insert(Seq(seq), doc(seq));
        }
        assert_eq!(
            read_from(&ring, Seq(1)),
            (1..=5).map(doc).collect::<Vec<_>>()
        );
        assert!(!ring.has_gap());
    }

    #[test]
    fn an_event_that_comes_again_changes_nothing() {
        let mut ring = ring_at(0);
        assert!(ring.insert(Seq(1), doc(1)));
        assert!(!ring.insert(Seq(1), doc(99)));
        assert_eq!(read_from(&ring, Seq(1)), [doc(1)]);
    }

    #[test]
    fn events_before_the_first_snapshot_wait_for_it() {
        let mut ring = Ring::new(Budget::new(1 << 20));
        for seq in [6, 8, 7] {
            assert!(!ring.insert(Seq(seq), doc(seq)));
        }
        assert!(ring.anchor(Seq(6)));
        assert_eq!(read_from(&ring, Seq(7)), [doc(7), doc(8)]);
    }

    #[test]
    fn a_gap_is_filled_where_every_place_is_known_and_left_alone_where_one_is_not() {
        let mut ring = ring_at(1);
        ring.insert(Seq(4), doc(4));
        assert!(ring.has_gap());
        assert!(!ring.fill(Seq(4), BTreeMap::from([(Seq(3), doc(3))])));
        assert_eq!(ring.at(Seq(2)), Next::UpToDate);
        let found = BTreeMap::from([(Seq(2), doc(2)), (Seq(3), doc(3)), (Seq(5), doc(5))]);
        assert!(ring.fill(Seq(5), found));
        assert_eq!(
            read_from(&ring, Seq(2)),
            (2..=5).map(doc).collect::<Vec<_>>()
        );
        assert!(!ring.has_gap());
    }

    #[test]
    fn a_reader_whose_place_was_dropped_fell_out_and_others_did_not() {
        let mut ring = ring_at(0);
        for seq in 1..=RING_EVENTS as u64 + 2 {
            ring.insert(Seq(seq), doc(seq));
        }
        assert_eq!(ring.at(Seq(2)), Next::FellOut);
        assert_eq!(ring.at(Seq(3)), Next::Doc(doc(3)));
        assert_eq!(ring.at(Seq(RING_EVENTS as u64 + 3)), Next::UpToDate);
    }

    #[test]
    fn the_budget_of_the_node_bounds_all_rings_and_is_given_back() {
        let budget = Budget::new(100);
        let mut ring = Ring::new(budget.clone());
        ring.anchor(Seq(0));
        for seq in 1..=200 {
            ring.insert(Seq(seq), Doc::from("0123456789"));
        }
        assert_eq!(budget.used(), SPARED_EVENTS * 10);
        drop(ring);
        assert_eq!(budget.used(), 0);
    }

    fn documents(run: Option<Run>) -> Vec<String> {
        let mut frame = Frame::default();
        if let Some(run) = run {
            frame.begin(run);
        }
        frame.documents().map(str::to_owned).collect()
    }

    #[test]
    fn readers_at_one_place_get_the_same_run_until_there_is_more() {
        let mut ring = ring_at(0);
        let events = |range: std::ops::RangeInclusive<u64>| -> Vec<_> {
            range.map(|seq| format!("event {seq}")).collect()
        };
        ring.insert(Seq(1), doc(1));
        assert_eq!(ring.run_at(Seq(1)), None, "one event is shared as it is");
        for seq in 2..=3 {
            ring.insert(Seq(seq), doc(seq));
        }
        let first = ring.run_at(Seq(1));
        assert_eq!(documents(first.clone()), events(1..=3));
        assert_eq!(ring.run_at(Seq(1)), first);
        assert_eq!(documents(ring.run_at(Seq(2))), events(2..=3));
        for seq in 4..=200 {
            ring.insert(Seq(seq), doc(seq));
        }
        let frame = OUT_FRAME_DOCUMENTS as u64;
        assert_eq!(documents(ring.run_at(Seq(1))), events(1..=frame));
        ring.insert(Seq(201), doc(201));
        assert_eq!(documents(ring.run_at(Seq(1))), events(1..=frame));
        assert_eq!(documents(ring.run_at(Seq(150))), events(150..=201));
        assert_eq!(ring.run_at(Seq(202)), None);
    }

    #[test]
    fn a_run_counts_into_the_budget_until_it_is_gone() {
        let budget = Budget::new(1 << 20);
        let mut ring = Ring::new(budget.clone());
        ring.anchor(Seq(0));
        for seq in 1..=3 {
            ring.insert(Seq(seq), Doc::from("0123456789"));
        }
        ring.run_at(Seq(1));
        assert_eq!(
            budget.used(),
            30 + 32,
            "three events, and two line breaks between them"
        );
        ring.run_at(Seq(2));
        assert_eq!(budget.used(), 30 + 21);
        drop(ring);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn after_a_reset_only_readers_at_the_new_head_go_on() {
        let mut ring = ring_at(0);
        ring.insert(Seq(1), doc(1));
        ring.reset(Seq(900));
        assert_eq!(ring.at(Seq(2)), Next::FellOut);
        assert_eq!(ring.at(Seq(901)), Next::UpToDate);
        assert!(ring.insert(Seq(901), doc(901)));
    }

    #[tokio::test(start_paused = true)]
    async fn old_events_are_dropped_and_the_place_is_kept() {
        let mut ring = ring_at(0);
        ring.insert(Seq(1), doc(1));
        tokio::time::advance(Duration::from_secs(20)).await;
        ring.drop_older_than(Duration::from_secs(15), Instant::now());
        assert_eq!(ring.at(Seq(1)), Next::FellOut);
        assert!(ring.insert(Seq(2), doc(2)));
    }
}
