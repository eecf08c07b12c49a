//! Who is there, who types, and what was read: what a screen shows of it once everything is at rest.
//!
//! News of this kind may be lost while something is broken. In quiet times it is right within a second,
//! on every server, and right again after a server died without a word.

use std::collections::{BTreeSet, HashMap, HashSet};

use chat_types::id::{Number, RoomId, UserId};

use super::{Found, Kind, Truth, Violation};
use crate::history::{History, What};

/// In quiet times news reaches every screen within so many microseconds.
pub const QUIET_US: u64 = 1_000_000;
/// The same for a crowd, which is only counted, and told of more seldom.
pub const CROWD_US: u64 = 3_000_000;
/// Whose connection broke may be shown for so many microseconds: a server that is silent for 30 s has
/// nobody, and that is told within a second.
pub const SILENT_US: u64 = 31_000_000;
/// Readers forget so many microseconds later that somebody types.
const TYPING_LASTS_US: u64 = 5_000_000;

/// What every screen shows from the moment on from which that is written down.
pub(super) fn is_paid(histories: &[History], truth: &Truth<'_>, found: &mut Found) {
    let told = Told::of(histories);
    for history in histories {
        for (room, screen) in screens(history) {
            let watch = Watch {
                history,
                room,
                told: &told,
            };
            watch.presence(&screen, found);
            watch.typing(&screen, found);
            watch.reading(&screen, found);
            watch.unread(&screen, truth, found);
        }
        told.servers_know_what_was_read(history, found);
    }
}

/// How a visit ended.
#[derive(Clone, Copy)]
enum End {
    /// A server acknowledged it.
    Said(u64),
    /// The connection was lost, and the server may be dead.
    Silent(u64),
}

/// Somebody looks at a room, from one device.
struct Visit {
    user: UserId,
    from_us: u64,
    end: Option<End>,
}

impl Visit {
    /// Whether every screen has to show it that news reaches within this bound.
    fn must_be_shown(&self, at_us: u64, bound_us: u64) -> bool {
        let gone_us = match self.end {
            None => u64::MAX,
            Some(End::Said(us) | End::Silent(us)) => us,
        };
        self.from_us.saturating_add(bound_us) <= at_us && at_us < gone_us
    }

    /// Whether a screen may show it.
    fn may_be_shown(&self, at_us: u64, bound_us: u64) -> bool {
        let until_us = match self.end {
            None => u64::MAX,
            Some(End::Said(us)) => us.saturating_add(bound_us),
            Some(End::Silent(us)) => us.saturating_add(bound_us.max(SILENT_US)),
        };
        // A server lets somebody in before they know it.
        self.from_us <= at_us.saturating_add(bound_us) && at_us <= until_us
    }
}

/// What users did that screens have to show.
#[derive(Default)]
struct Told {
    visits: HashMap<RoomId, Vec<Visit>>,
    typed: HashMap<RoomId, Vec<(UserId, u64)>>,
    read: HashMap<(RoomId, UserId), Vec<(Number, u64)>>,
    /// By how much the machine held up the run itself, at most: so much later everything may come.
    held_up_us: u64,
}

impl Told {
    fn of(histories: &[History]) -> Self {
        let mut told = Self::default();
        for history in histories {
            if let Some(user) = history.user {
                told.read(history, user);
            }
        }
        told
    }

    fn read(&mut self, history: &History, user: UserId) {
        let mut open: HashMap<RoomId, Visit> = HashMap::new();
        for record in &history.records {
            let at_us = record.at_us;
            match &record.what {
                What::Subbed { room, .. } | What::Entered { room } => {
                    open.entry(*room).or_insert(Visit {
                        user,
                        from_us: at_us,
                        end: None,
                    });
                }
                What::Unsubbed { room } | What::Gone { room } => {
                    if let Some(visit) = open.remove(room) {
                        self.ended(*room, visit, End::Said(at_us));
                    }
                }
                What::Connected | What::Lost { .. } => {
                    for (room, visit) in open.drain() {
                        self.ended(room, visit, End::Silent(at_us));
                    }
                }
                What::Typed { room } => {
                    self.typed.entry(*room).or_default().push((user, at_us));
                }
                What::MarkedRead { room, number } => {
                    let read = self.read.entry((*room, user)).or_default();
                    read.push((*number, at_us));
                }
                What::HeldUp { us } => self.held_up_us = self.held_up_us.max(*us),
                _ => {}
            }
        }
        for (room, visit) in open {
            self.visits.entry(room).or_default().push(visit);
        }
    }

    fn ended(&mut self, room: RoomId, visit: Visit, end: End) {
        let end = Some(end);
        let visits = self.visits.entry(room).or_default();
        visits.push(Visit { end, ..visit });
    }

    fn bound(&self, us: u64) -> u64 {
        us.saturating_add(self.held_up_us)
    }

    fn visits(&self, room: RoomId) -> &[Visit] {
        self.visits.get(&room).map_or(&[], Vec::as_slice)
    }

    /// The furthest position that a user set in a room by this time.
    fn furthest(&self, room: RoomId, user: UserId, by_us: u64) -> Option<Number> {
        let read = self.read.get(&(room, user))?;
        let by_then = read.iter().filter(|(_, at_us)| *at_us <= by_us);
        by_then.map(|(number, _)| *number).max()
    }

    fn servers_know_what_was_read(&self, history: &History, found: &mut Found) {
        let Some(user) = history.user else { return };
        for record in &history.records {
            let What::ReadTold { room, read } = &record.what else {
                continue;
            };
            let by_us = record.at_us.saturating_sub(self.bound(QUIET_US));
            if let Some(marked) = self.furthest(*room, user, by_us)
                && *read < marked
            {
                found
                    .add(
                        Kind::ReadLost,
                        format!("a server says {read}, marked as read up to {marked}"),
                    )
                    .room(*room)
                    .client(history.client)
                    .user(user);
            }
        }
    }
}

/// Who a screen showed as being there.
struct Present<'a> {
    at_us: u64,
    count: u32,
    users: &'a [UserId],
}

/// What a screen showed of a room, each from that time on.
#[derive(Default)]
struct Screen<'a> {
    present: Vec<Present<'a>>,
    typing: Vec<(u64, &'a [UserId])>,
    read: Vec<(u64, Number, u64)>,
    /// The place up to which everything was applied at the end.
    last: Option<chat_types::id::Seq>,
}

impl Screen<'_> {
    /// From when until when everything was written down.
    fn watched(&self) -> Option<(u64, u64)> {
        Some((self.present.first()?.at_us, self.present.last()?.at_us))
    }
}

fn screens(history: &History) -> HashMap<RoomId, Screen<'_>> {
    let mut screens: HashMap<RoomId, Screen<'_>> = HashMap::new();
    for record in &history.records {
        let at_us = record.at_us;
        match &record.what {
            What::Present { room, count, users } => {
                let present = &mut screens.entry(*room).or_default().present;
                present.push(Present {
                    at_us,
                    count: *count,
                    users,
                });
            }
            What::Typing { room, users } => {
                screens
                    .entry(*room)
                    .or_default()
                    .typing
                    .push((at_us, users));
            }
            What::Read { room, read, unread } => {
                let reads = &mut screens.entry(*room).or_default().read;
                reads.push((at_us, *read, *unread));
            }
            What::Final { room, cursor, .. } => {
                screens.entry(*room).or_default().last = Some(*cursor);
            }
            _ => {}
        }
    }
    screens
}

/// What was said of a screen already.
#[derive(Default)]
struct Named {
    users: HashSet<UserId>,
    counted: bool,
}

impl Named {
    fn is_first_count(&mut self) -> bool {
        !std::mem::replace(&mut self.counted, true)
    }
}

/// A screen of one client and one room, and what it has to show.
struct Watch<'a> {
    history: &'a History,
    room: RoomId,
    told: &'a Told,
}

impl Watch<'_> {
    fn say<'f>(&self, kind: Kind, detail: String, found: &'f mut Found) -> &'f mut Violation {
        let violation = found.add(kind, detail);
        violation.room(self.room).client(self.history.client)
    }

    /// Looks at the screen whenever it changes, and whenever a bound is reached.
    fn presence(&self, screen: &Screen<'_>, found: &mut Found) {
        let Some((first_us, last_us)) = screen.watched() else {
            return;
        };
        let mut named = Named::default();
        let due_us = self.due().into_iter();
        for at_us in due_us.filter(|us| (first_us..last_us).contains(us)) {
            let shown = screen.present.iter().rfind(|shown| shown.at_us <= at_us);
            if let Some(shown) = shown {
                self.is_right(shown, at_us, &mut named, found);
            }
        }
        for shown in &screen.present {
            self.is_right(shown, shown.at_us, &mut named, found);
        }
    }

    /// When news of a visit has to have come, and when it has to have gone.
    fn due(&self) -> Vec<u64> {
        let mut due = Vec::new();
        for visit in self.told.visits(self.room) {
            for bound_us in [QUIET_US, CROWD_US].map(|us| self.told.bound(us)) {
                due.push(visit.from_us.saturating_add(bound_us));
                let after_us = match visit.end {
                    None => continue,
                    Some(End::Said(us)) => us.saturating_add(bound_us),
                    Some(End::Silent(us)) => us.saturating_add(bound_us.max(SILENT_US)),
                };
                due.push(after_us.saturating_add(1));
            }
        }
        due
    }

    /// Names each user once, and a wrong count once.
    fn is_right(&self, shown: &Present<'_>, at_us: u64, named: &mut Named, found: &mut Found) {
        let is_crowd = shown.users.is_empty() && shown.count > 0;
        let bound_us = self.told.bound(if is_crowd { CROWD_US } else { QUIET_US });
        let (must, may) = self.visitors(at_us, bound_us);
        let count = usize::try_from(shown.count).unwrap_or(usize::MAX);
        if is_crowd {
            if !(must.len()..=may.len()).contains(&count) && named.is_first_count() {
                let detail = format!("counts {count} of {} to {}", must.len(), may.len());
                self.say(Kind::PresenceCount, detail, found);
            }
            return;
        }
        let users: BTreeSet<UserId> = shown.users.iter().copied().collect();
        for user in must
            .difference(&users)
            .filter(|user| named.users.insert(**user))
        {
            let detail = format!("at {at_us} µs is not shown who has been there long enough");
            self.say(Kind::PresenceMissing, detail, found).user(*user);
        }
        for user in users
            .difference(&may)
            .filter(|user| named.users.insert(**user))
        {
            let detail = format!("at {at_us} µs is shown who has been gone long enough");
            self.say(Kind::PresenceGhost, detail, found).user(*user);
        }
        if count != users.len() && named.is_first_count() {
            let detail = format!("counts {count} and names {}", users.len());
            self.say(Kind::PresenceCount, detail, found);
        }
    }

    /// Who has to be shown, and who may be.
    fn visitors(&self, at_us: u64, bound_us: u64) -> (BTreeSet<UserId>, BTreeSet<UserId>) {
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        for visit in self.told.visits(self.room) {
            if visit.must_be_shown(at_us, bound_us) {
                must.insert(visit.user);
            }
            if visit.may_be_shown(at_us, bound_us) {
                may.insert(visit.user);
            }
        }
        (must, may)
    }

    fn typing(&self, screen: &Screen<'_>, found: &mut Found) {
        let Some((first_us, last_us)) = screen.watched() else {
            return;
        };
        let bound_us = self.told.bound(QUIET_US);
        let typed = self
            .told
            .typed
            .get(&self.room)
            .map_or(&[][..], Vec::as_slice);
        for (user, typed_us) in typed {
            let until_us = typed_us.saturating_add(bound_us);
            let is_watched = first_us <= *typed_us && until_us <= last_us;
            let mut shown = screen.typing.iter();
            let in_time = |(at_us, users): &(u64, &[UserId])| {
                (*typed_us..=until_us).contains(at_us) && users.contains(user)
            };
            if is_watched && Some(*user) != self.history.user && !shown.any(in_time) {
                let detail = format!("types at {typed_us} µs, and is not shown so in time");
                self.say(Kind::TypingMissed, detail, found).user(*user);
            }
        }
        let forgotten_us = TYPING_LASTS_US.saturating_add(bound_us);
        let mut named = HashSet::new();
        for (at_us, users) in &screen.typing {
            for user in *users {
                let is_told = |(who, typed_us): &(UserId, u64)| {
                    who == user
                        && (*typed_us..=typed_us.saturating_add(forgotten_us)).contains(at_us)
                };
                if !typed.iter().any(is_told) && named.insert(*user) {
                    let detail = format!("is shown as typing at {at_us} µs");
                    self.say(Kind::TypingPhantom, detail, found).user(*user);
                }
            }
        }
    }

    fn reading(&self, screen: &Screen<'_>, found: &mut Found) {
        let (Some(user), Some((_, last_us))) = (self.history.user, screen.watched()) else {
            return;
        };
        for pair in screen.read.windows(2) {
            let ((_, before, _), (at_us, after, _)) = (pair[0], pair[1]);
            if after < before {
                let detail =
                    format!("at {at_us} µs read up to {after}, before that up to {before}");
                self.say(Kind::ReadWentBack, detail, found).user(user);
            }
        }
        let marked = self.told.read.get(&(self.room, user));
        for (number, marked_us) in marked.map_or(&[][..], Vec::as_slice) {
            let until_us = marked_us.saturating_add(self.told.bound(QUIET_US));
            let shown = screen.read.iter().rfind(|(at_us, ..)| *at_us <= until_us);
            if let Some((_, read, _)) = shown
                && until_us <= last_us
                && read < number
            {
                let detail = format!("shows {read}, another device marked {number} as read");
                self.say(Kind::ReadMissed, detail, found).user(user);
            }
        }
    }

    /// What is not read is what the room has beyond what is read.
    fn unread(&self, screen: &Screen<'_>, truth: &Truth<'_>, found: &mut Found) {
        let (Some((_, read, unread)), Some(reading)) =
            (screen.read.last(), truth.rooms.get(&self.room))
        else {
            return;
        };
        let last = reading.rows.last().map_or(Number(0), |row| row.number);
        let is_at_the_head = screen.last == Some(reading.head);
        if is_at_the_head && *unread != last.0.saturating_sub(read.0) {
            let detail = format!("{unread} unread, read up to {read} of {last}");
            self.say(Kind::UnreadWrong, detail, found);
        }
    }
}
