//! How often something may be done: a token bucket per key (GCRA), in bounded memory, on the clock
//! that it is given.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chat_types::id::{RoomId, UserId};
use chat_types::time::Timestamp;

use crate::config::Limits;
use crate::error::ApiError;

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
            (count, window) if window <= 8_760 => Ok(Self {
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
    rate: Rate,
    buckets: Mutex<HashMap<K, u64>>,
}

impl<K: Eq + Hash + Clone> RateLimiter<K> {
    /// A limiter whose buckets are full.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::new(HashMap::new()),
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
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_KEYS && !buckets.contains_key(&key) {
            make_room(&mut buckets, now_us);
        }
        let full_at_us = buckets.get(&key).copied().unwrap_or(0).max(now_us);
        let next_us = full_at_us + interval_us;
        if next_us > now_us + full_after_us {
            let wait_us = next_us - full_after_us - now_us;
            return Err(ApiError::rate_limited(wait_us.div_ceil(1_000)));
        }
        buckets.insert(key, next_us);
        Ok(())
    }

    /// Puts back what [`RateLimiter::take`] took, because it was not used.
    pub fn put_back(&self, key: &K) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at_us) = buckets.get_mut(key) {
            *full_at_us = full_at_us.saturating_sub(self.rate.interval_us());
        }
    }
}

/// Forgets full buckets; when none is full, any one: who fills the table with new keys gains one
/// bucket, not the table's memory.
fn make_room<K: Eq + Hash + Clone>(buckets: &mut HashMap<K, u64>, now_us: u64) {
    buckets.retain(|_, full_at_us| *full_at_us > now_us);
    if buckets.len() >= MAX_KEYS
        && let Some(any) = buckets.keys().next().cloned()
    {
        buckets.remove(&any);
    }
}

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which a single
/// subscriber commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(u64);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(u32::from(v4))),
            IpAddr::V6(v6) => Self((u128::from(v6) >> 64) as u64),
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
    /// Messages, per room.
    pub room_sends: RateLimiter<RoomId>,
    /// Other changes (edits, reactions, memberships), per user.
    pub changes: RateLimiter<UserId>,
    /// Rooms and invites made, per user.
    pub creations: RateLimiter<UserId>,
    /// Invites tried, per user.
    pub invites: RateLimiter<UserId>,
    /// Page rooms opened, per address.
    pub pages: RateLimiter<AddressKey>,
    /// Lists and history read, per address.
    pub reads: RateLimiter<AddressKey>,
}

impl Rates {
    /// Full buckets with the configured rates.
    pub fn new(limits: &Limits) -> Self {
        Self {
            guests: RateLimiter::new(limits.guests),
            registrations: RateLimiter::new(limits.registrations),
            sign_ins: RateLimiter::new(limits.sign_ins),
            sign_ins_of_address: RateLimiter::new(limits.sign_ins_of_address),
            refreshes: RateLimiter::new(limits.refreshes),
            sends: RateLimiter::new(limits.sends),
            room_sends: RateLimiter::new(limits.room_sends),
            changes: RateLimiter::new(limits.changes),
            creations: RateLimiter::new(limits.creations),
            invites: RateLimiter::new(limits.invites),
            pages: RateLimiter::new(limits.pages),
            reads: RateLimiter::new(limits.reads),
        }
    }
}
