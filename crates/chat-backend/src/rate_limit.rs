//! How often something may be done: a token bucket per key (GCRA), in bounded memory, on the clock
//! that it is given.

use std::collections::HashMap;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_listener::AddressKey;
use chat_types::id::{RoomId, UserId};
use chat_types::time::Timestamp;

use crate::config::Limits;
use crate::error::ApiError;
use crate::metrics;

/// So many within so long: `20/1m`. The bucket holds `count` and fills again within the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once, and within [`Rate::window_ms`] over time.
    pub count: u32,
    /// In how many milliseconds an empty bucket is full again.
    pub window_ms: u64,
}

impl Rate {
    fn interval_us(self) -> u64 {
        (self.window_ms * 1_000 / u64::from(self.count)).max(1)
    }
}

/// The greatest count of a rate: one a microsecond within a second.
const MAX_COUNT: u32 = 1_000_000;
/// The greatest window of a rate, in its unit: the hours of a year.
const MAX_WINDOW: u64 = 8_760;

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate such as 5/5s, 20/1m or 100/1h");
        let (count, window) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().map_err(|_| wrong())?;
        let (window, unit_ms) = match window.as_bytes() {
            [.., b'm', b's'] => (&window[..window.len() - 2], 1),
            [.., b's'] => (&window[..window.len() - 1], 1_000),
            [.., b'm'] => (&window[..window.len() - 1], 60_000),
            [.., b'h'] => (&window[..window.len() - 1], 3_600_000),
            _ => return Err(wrong()),
        };
        let window: u64 = window.parse().map_err(|_| wrong())?;
        match (count, window) {
            (0, _) | (_, 0) => Err(wrong()),
            (count, window) if count <= MAX_COUNT && window <= MAX_WINDOW => Ok(Self {
                count,
                window_ms: window * unit_ms,
            }),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.window_ms {
            ms if ms % 3_600_000 == 0 => write!(f, "{}/{}h", self.count, ms / 3_600_000),
            ms if ms % 60_000 == 0 => write!(f, "{}/{}m", self.count, ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}/{}s", self.count, ms / 1_000),
            ms => write!(f, "{}/{ms}ms", self.count),
        }
    }
}

/// Buckets that a limiter remembers at most, about 100 bytes each.
const MAX_KEYS: usize = 50_000;

/// One rate for each key.
pub struct RateLimiter<K> {
    /// What it limits, for measurements.
    name: &'static str,
    rate: Rate,
    buckets: Mutex<Buckets<K>>,
}

/// When each key's bucket is full again, in microseconds.
struct Buckets<K> {
    full_at_us: HashMap<K, u64>,
    swept_at_us: u64,
}

impl<K: Eq + Hash + Clone> RateLimiter<K> {
    /// A limiter whose buckets are full.
    pub fn new(name: &'static str, rate: Rate) -> Self {
        metrics::has_limit(name);
        Self {
            name,
            rate,
            buckets: Mutex::new(Buckets {
                full_at_us: HashMap::new(),
                swept_at_us: 0,
            }),
        }
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// `rate_limited` with the time after which there is one again; nothing was taken.
    pub fn take(&self, key: K, now: Timestamp) -> Result<(), ApiError> {
        let now_us = now.0.saturating_mul(1_000);
        let interval_us = self.rate.interval_us();
        let full_after_us = interval_us * u64::from(self.rate.count);
        let mut buckets = self.buckets();
        let full_at_us = buckets.full_at_us.get(&key).copied();
        if full_at_us.is_none() {
            buckets.make_room(now_us);
        }
        // Never fuller than full and never emptier than empty: a clock that steps back must not
        // make anybody wait for the time that it steps back by.
        let full_at_us = full_at_us
            .unwrap_or(0)
            .clamp(now_us, now_us.saturating_add(full_after_us));
        let next_us = full_at_us + interval_us;
        if next_us > now_us + full_after_us {
            let wait_us = next_us - full_after_us - now_us;
            buckets.full_at_us.insert(key, full_at_us);
            metrics::rate_limited(self.name);
            return Err(ApiError::rate_limited(wait_us.div_ceil(1_000)));
        }
        buckets.full_at_us.insert(key, next_us);
        Ok(())
    }

    /// Fills the key's bucket.
    pub fn refill(&self, key: &K) {
        self.buckets().full_at_us.remove(key);
    }

    /// As [`RateLimiter::take`], to be put back if it is not used.
    ///
    /// # Errors
    /// As there.
    pub fn draw(&self, key: K, now: Timestamp) -> Result<Taken<'_, K>, ApiError> {
        self.take(key.clone(), now)?;
        Ok(Taken {
            limiter: self,
            key,
            spent: false,
        })
    }

    /// Puts one back that was taken and not used.
    pub fn put_back(&self, key: &K) {
        if let Some(full_at_us) = self.buckets().full_at_us.get_mut(key) {
            *full_at_us = full_at_us.saturating_sub(self.rate.interval_us());
        }
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets<K>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// Makes room for one more key: forgets full buckets, which costs a walk over all and so is
    /// done once a second; else any one bucket. Who fills the table with new keys gains one
    /// bucket, not the table's memory.
    fn make_room(&mut self, now_us: u64) {
        const SWEEP_US: u64 = 1_000_000;
        if self.full_at_us.len() < MAX_KEYS {
            return;
        }
        if now_us.abs_diff(self.swept_at_us) >= SWEEP_US {
            self.swept_at_us = now_us;
            self.full_at_us.retain(|_, full_at_us| *full_at_us > now_us);
        }
        if self.full_at_us.len() >= MAX_KEYS
            && let Some(any) = self.full_at_us.keys().next().cloned()
        {
            self.full_at_us.remove(&any);
        }
    }
}

/// One that was taken from a bucket. Dropped, it goes back; [`Taken::spend`] keeps it. So a thing that
/// takes from several buckets takes from all or, refused by one of them, from none.
#[must_use = "dropped, it goes back into its bucket"]
pub struct Taken<'a, K: Eq + Hash + Clone> {
    limiter: &'a RateLimiter<K>,
    key: K,
    spent: bool,
}

impl<K: Eq + Hash + Clone> Taken<'_, K> {
    /// It was used.
    pub fn spend(mut self) {
        self.spent = true;
    }
}

impl<K: Eq + Hash + Clone> Drop for Taken<'_, K> {
    fn drop(&mut self) {
        if !self.spent {
            self.limiter.put_back(&self.key);
        }
    }
}

/// Every rate of the service.
pub struct Rates {
    /// Guests made, per address.
    pub guests: RateLimiter<AddressKey>,
    /// Accounts made, per address.
    pub registrations: RateLimiter<AddressKey>,
    /// Sign-ins tried, per account and address: a stranger cannot lock the owner out.
    pub sign_ins: RateLimiter<(String, AddressKey)>,
    /// Sign-ins tried, per address.
    pub sign_ins_of_address: RateLimiter<AddressKey>,
    /// Refreshes, per address.
    pub refreshes: RateLimiter<AddressKey>,
    /// Messages, per user and room.
    pub sends: RateLimiter<(UserId, RoomId)>,
    /// Messages, per user over all rooms.
    pub user_sends: RateLimiter<UserId>,
    /// Messages and edits, per room.
    pub room_sends: RateLimiter<RoomId>,
    /// Messages and edits of guests, per address.
    pub guest_sends: RateLimiter<AddressKey>,
    /// Messages sent again after they were committed, per user.
    pub repeats: RateLimiter<UserId>,
    /// Read positions, per user.
    pub read_positions: RateLimiter<UserId>,
    /// Other changes (edits, reactions, memberships), per user.
    pub changes: RateLimiter<UserId>,
    /// Deletions, reactions and pins, per room.
    pub room_changes: RateLimiter<RoomId>,
    /// Deletions, reactions and pins of guests, per address.
    pub guest_changes: RateLimiter<AddressKey>,
    /// Rooms and invites made, per user.
    pub creations: RateLimiter<UserId>,
    /// Public and private rooms made by guests, per address.
    pub guest_rooms: RateLimiter<AddressKey>,
    /// Invites tried, per user.
    pub invites: RateLimiter<UserId>,
    /// Page rooms opened, per address.
    pub pages: RateLimiter<AddressKey>,
    /// Sites asked for that are not configured, per address.
    pub unknown_sites: RateLimiter<AddressKey>,
    /// Lists and history read, per address.
    pub reads: RateLimiter<AddressKey>,
}

impl Rates {
    /// Full buckets with the configured rates.
    pub fn new(limits: &Limits) -> Self {
        Self {
            guests: RateLimiter::new("guests", limits.guests),
            registrations: RateLimiter::new("registrations", limits.registrations),
            sign_ins: RateLimiter::new("sign_ins", limits.sign_ins),
            sign_ins_of_address: RateLimiter::new(
                "sign_ins_of_address",
                limits.sign_ins_of_address,
            ),
            refreshes: RateLimiter::new("refreshes", limits.refreshes),
            sends: RateLimiter::new("sends", limits.sends),
            user_sends: RateLimiter::new("user_sends", limits.user_sends),
            room_sends: RateLimiter::new("room_sends", limits.room_sends),
            guest_sends: RateLimiter::new("guest_sends", limits.guest_sends),
            repeats: RateLimiter::new("repeats", limits.repeats),
            read_positions: RateLimiter::new("read_positions", limits.read_positions),
            changes: RateLimiter::new("changes", limits.changes),
            room_changes: RateLimiter::new("room_changes", limits.room_changes),
            guest_changes: RateLimiter::new("guest_changes", limits.guest_changes),
            creations: RateLimiter::new("creations", limits.creations),
            guest_rooms: RateLimiter::new("guest_rooms", limits.guest_rooms),
            invites: RateLimiter::new("invites", limits.invites),
            pages: RateLimiter::new("pages", limits.pages),
            unknown_sites: RateLimiter::new("unknown_sites", limits.unknown_sites),
            reads: RateLimiter::new("reads", limits.reads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn limiter(rate: &str) -> RateLimiter<u32> {
        RateLimiter::new("test", rate.parse().unwrap())
    }

    fn wait_ms(limiter: &RateLimiter<u32>, now: Timestamp) -> Option<u64> {
        let taken = limiter.take(1, now);
        taken.err().map(|error| error.retry_after_ms.unwrap())
    }

    #[test]
    fn a_full_bucket_gives_its_count_and_then_says_when_to_come_back() {
        let limiter = limiter("3/3s");
        for _ in 0..3 {
            assert_eq!(wait_ms(&limiter, NOW), None);
        }
        assert_eq!(wait_ms(&limiter, NOW), Some(1_000));
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(999)), Some(1));
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(1_000)), None);
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(1_000)), Some(1_000));
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let limiter = limiter("1/1s");
        assert_eq!(wait_ms(&limiter, NOW), None);
        for _ in 0..100 {
            assert_eq!(wait_ms(&limiter, NOW), Some(1_000));
        }
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(1_000)), None);
    }

    #[test]
    fn each_key_has_its_own_bucket() {
        let limiter = limiter("1/1h");
        assert!(limiter.take(1, NOW).is_ok());
        assert!(limiter.take(2, NOW).is_ok());
        assert!(limiter.take(1, NOW).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_makes_nobody_wait_longer_than_an_empty_bucket() {
        let limiter = limiter("3/3s");
        for _ in 0..3 {
            assert_eq!(wait_ms(&limiter, NOW.plus_ms(600_000)), None);
        }
        assert_eq!(wait_ms(&limiter, NOW), Some(1_000));
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(1_000)), None);
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(1_000)), Some(1_000));
        assert_eq!(wait_ms(&limiter, NOW.plus_ms(4_000)), None);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_stop_full_buckets_from_being_forgotten() {
        let limiter = limiter("1/1ms");
        let later = NOW.plus_ms(600_000);
        for key in 0..=u32::try_from(MAX_KEYS).unwrap() {
            limiter.take(key, later).unwrap();
        }
        for key in 0..=u32::try_from(MAX_KEYS).unwrap() {
            let _emptied_by_the_step = limiter.take(key, NOW);
        }
        limiter.take(u32::MAX, NOW.plus_ms(2_000)).unwrap();
        assert_eq!(limiter.buckets().full_at_us.len(), 1);
    }

    #[test]
    fn what_was_drawn_goes_back_unless_it_is_spent() {
        let limiter = limiter("1/1h");
        drop(limiter.draw(1, NOW).unwrap());
        limiter.draw(1, NOW).unwrap().spend();
        assert!(limiter.draw(1, NOW).is_err());
    }

    #[test]
    fn a_flood_of_keys_costs_bounded_memory() {
        let limiter = limiter("1/1h");
        for key in 0..u32::try_from(MAX_KEYS + 10).unwrap() {
            limiter.take(key, NOW).unwrap();
        }
        assert!(limiter.buckets().full_at_us.len() <= MAX_KEYS);
        limiter.take(u32::MAX, NOW.plus_ms(3_600_000)).unwrap();
        assert_eq!(
            limiter.buckets().full_at_us.len(),
            1,
            "full buckets are forgotten"
        );
    }

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["5/5s", "20/1m", "100/1h", "3/250ms", "1000000/8760h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "5",
            "5/",
            "/5s",
            "0/1s",
            "5/0s",
            "5/1d",
            "x/1s",
            "5/8761h",
            "1000001/1s",
            "5/-1s",
        ] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
