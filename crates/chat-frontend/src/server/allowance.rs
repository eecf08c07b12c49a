//! How many keys of no known site an address may have looked up: each lookup costs the API a request
//! that is counted as this server's, so one visitor must not use up what everybody's pages need.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_listener::AddressKey;

/// In which time an allowance that is used up is whole again.
const WINDOW: Duration = Duration::from_mins(1);
/// How many addresses are counted. Beyond that all begin anew.
const ADDRESSES: usize = 10_000;

/// A bucket per address (GCRA), in bounded memory.
pub(super) struct Allowance {
    /// In which time one more is allowed.
    interval: Duration,
    /// When each address has its whole allowance again.
    whole_at: Mutex<HashMap<AddressKey, Instant>>,
}

impl Allowance {
    /// So many in a minute.
    pub(super) fn per_minute(count: u32) -> Self {
        Self {
            interval: WINDOW / count,
            whole_at: Mutex::default(),
        }
    }

    /// Takes one, if one is left.
    pub(super) fn take(&self, address: AddressKey, now: Instant) -> bool {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = whole_at.get(&address).map_or(now, |&at| at.max(now));
        let after = begins + self.interval;
        if after > now + WINDOW {
            return false;
        }
        if whole_at.len() >= ADDRESSES {
            whole_at.retain(|_, at| *at > now);
            if whole_at.len() >= ADDRESSES {
                whole_at.clear();
            }
        }
        whole_at.insert(address, after);
        true
    }

    /// Puts back one that turned out to be for a real site.
    pub(super) fn put_back(&self, address: AddressKey) {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = whole_at.get_mut(&address) {
            *at -= self.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(number: u32) -> AddressKey {
        AddressKey::from(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn an_address_has_its_allowance_and_gets_it_again_little_by_little() {
        let (allowance, now) = (Allowance::per_minute(3), Instant::now());
        for _ in 0..3 {
            assert!(allowance.take(address(1), now));
        }
        assert!(!allowance.take(address(1), now));
        assert!(allowance.take(address(2), now), "another's is its own");
        let interval = WINDOW / 3;
        let almost = interval.saturating_sub(Duration::from_millis(1));
        assert!(!allowance.take(address(1), now + almost));
        assert!(allowance.take(address(1), now + interval));
        assert!(!allowance.take(address(1), now + interval));
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let (allowance, now) = (Allowance::per_minute(1), Instant::now());
        assert!(allowance.take(address(1), now));
        allowance.put_back(address(1));
        assert!(allowance.take(address(1), now));
        assert!(!allowance.take(address(1), now));
    }

    #[test]
    fn a_flood_of_addresses_costs_bounded_memory() {
        let (allowance, now) = (Allowance::per_minute(1), Instant::now());
        for number in 0..=u32::try_from(ADDRESSES).unwrap() {
            assert!(allowance.take(address(number), now));
        }
        assert!(allowance.whole_at.lock().unwrap().len() <= ADDRESSES);
    }
}
