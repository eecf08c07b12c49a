//! Edits, deletions and reactions: the last revision everywhere.

use std::collections::{BTreeMap, HashMap};

use chat_types::id::{MessageId, RoomId, Seq};

use super::book::Book;
use super::{Found, Kind, Truth};
use crate::history::{Act, History, Text, What};

/// How one change of one message went.
#[derive(Default)]
struct Outcome {
    attempts: u32,
    refusals: u32,
    acked: Option<Seq>,
    acks: u32,
}

impl Outcome {
    /// Whether an attempt has no answer: it may have been carried out, also after others.
    fn is_open(&self) -> bool {
        self.attempts > self.acks + self.refusals
    }
}

/// Changes of one message, by what they do.
type Outcomes = HashMap<MessageId, BTreeMap<Act, Outcome>>;

/// The text of each message is that of its last acknowledged change, unless one whose outcome
/// nobody knows came after it.
pub(super) fn last_revision_everywhere(
    histories: &[History],
    book: &Book,
    truth: &Truth<'_>,
    found: &mut Found,
) {
    for (message, acts) in outcomes(histories) {
        let Some((room, stored)) = truth.by_id.get(&message) else {
            continue;
        };
        let texts = acts.iter().filter_map(|(act, outcome)| {
            let text = match act {
                Act::Edit { body } => Text::Body(*body),
                Act::Delete => Text::Deleted,
                Act::React { .. } => return None,
            };
            Some((text, outcome))
        });
        let texts: Vec<_> = texts.collect();
        let acked = texts
            .iter()
            .filter_map(|(text, outcome)| Some((outcome.acked?, *text)));
        let deleted = texts
            .iter()
            .any(|(text, outcome)| *text == Text::Deleted && outcome.acked.is_some());
        let last = acked.max_by_key(|(seq, _)| *seq);
        let written = book.sends.get(&stored.client_id).map(|send| send.body);
        let expected = match last {
            _ if deleted => Some(Text::Deleted),
            Some((_, text)) => Some(text),
            None => written.map(Text::Body),
        };
        let maybe = texts
            .iter()
            .any(|(text, outcome)| *text == stored.text && outcome.is_open() && !deleted);
        let beyond = last.is_some_and(|(seq, _)| stored.seq < seq);
        if (expected != Some(stored.text) && !maybe) || beyond {
            let detail = format!(
                "the last acknowledged revision is {expected:?} at {:?}, the store has {:?} at {}",
                last.map(|(seq, _)| seq.0),
                stored.text,
                stored.seq
            );
            found.add(Kind::StaleEdit, detail).room(*room).row(stored);
        }
    }
}

fn outcomes(histories: &[History]) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for record in histories.iter().flat_map(|history| &history.records) {
        let (What::ChangeAttempted { message, act, .. }
        | What::ChangeAcked { message, act, .. }
        | What::ChangeRefused { message, act, .. }) = &record.what
        else {
            continue;
        };
        let acts = outcomes.entry(*message).or_default();
        let outcome = acts.entry(act.clone()).or_default();
        match &record.what {
            What::ChangeAcked { seq, .. } => {
                outcome.acks += 1;
                outcome.acked = outcome.acked.max(Some(*seq));
            }
            What::ChangeRefused { .. } => outcome.refusals += 1,
            _ => outcome.attempts += 1,
        }
    }
    outcomes
}

/// One user's last word about one emoji under one message.
#[derive(Default)]
struct Vote {
    attempts: u32,
    answers: u32,
    /// What was acknowledged last.
    on: bool,
}

/// As many of an emoji as users put it there and did not take it away.
pub(super) fn reactions_are_counted(histories: &[History], truth: &Truth<'_>, found: &mut Found) {
    let mut sure: HashMap<(MessageId, String), u32> = HashMap::new();
    let mut open: HashMap<(MessageId, String), u32> = HashMap::new();
    for history in histories {
        for (place, vote) in votes(history) {
            if vote.attempts > vote.answers {
                *open.entry(place).or_default() += 1;
            } else if vote.on {
                *sure.entry(place).or_default() += 1;
            }
        }
    }
    for (room, row) in truth.by_id.values() {
        if row.text == Text::Deleted {
            continue;
        }
        let stored: HashMap<_, _> = row.reactions.iter().cloned().collect();
        let named = sure.keys().chain(open.keys());
        let named = named.filter(|(message, _)| *message == row.id);
        let all: std::collections::BTreeSet<_> = named
            .map(|(_, emoji)| emoji)
            .chain(stored.keys())
            .cloned()
            .collect();
        for emoji in all {
            let place = (row.id, emoji.clone());
            let least = sure.get(&place).copied().unwrap_or(0);
            let most = least + open.get(&place).copied().unwrap_or(0);
            let count = stored.get(&emoji).copied().unwrap_or(0);
            if !(least..=most).contains(&count) {
                say(*room, row, &emoji, (count, least, most), found);
            }
        }
    }
}

fn say(
    room: RoomId,
    row: &crate::history::Row,
    emoji: &str,
    (count, least, most): (u32, u32, u32),
    found: &mut Found,
) {
    let detail = format!("{emoji} is stored {count} times, and put {least} to {most} times");
    found.add(Kind::Reaction, detail).room(room).row(row);
}

fn votes(history: &History) -> HashMap<(MessageId, String), Vote> {
    let mut votes: HashMap<_, Vote> = HashMap::new();
    for record in &history.records {
        let (What::ChangeAttempted { message, act, .. }
        | What::ChangeAcked { message, act, .. }
        | What::ChangeRefused { message, act, .. }) = &record.what
        else {
            continue;
        };
        let Act::React { emoji, on } = act else {
            continue;
        };
        let vote = votes.entry((*message, emoji.clone())).or_default();
        match &record.what {
            What::ChangeAcked { .. } => {
                vote.answers += 1;
                vote.on = *on;
            }
            What::ChangeRefused { .. } => vote.answers += 1,
            _ => vote.attempts += 1,
        }
    }
    votes
}
