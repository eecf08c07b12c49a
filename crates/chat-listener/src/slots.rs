//! How many connections there are, in all and of each address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::AddressKey;

#[derive(Default)]
struct Counts {
    all: usize,
    of: HashMap<AddressKey, usize>,
}

struct Shared {
    counts: Mutex<Counts>,
    max: usize,
    max_per_address: usize,
}

/// The places for connections.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Shared>);

impl Slots {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Shared {
            counts: Mutex::default(),
            max,
            max_per_address,
        }))
    }

    /// A place for a connection of this address, if there is one.
    pub(crate) fn take(&self, address: AddressKey) -> Option<Slot> {
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = counts.of.get(&address).copied().unwrap_or(0);
        if counts.all >= self.0.max || of_address >= self.0.max_per_address {
            return None;
        }
        counts.all += 1;
        counts.of.insert(address, of_address + 1);
        Some(Slot {
            slots: self.clone(),
            address,
        })
    }
}

/// One connection's place. An upgraded socket keeps it until it closes.
pub struct Slot {
    slots: Slots,
    address: AddressKey,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let shared = &self.slots.0;
        let mut counts = shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.of.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn key(address: &str) -> AddressKey {
        AddressKey::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn one_subscriber_of_ipv6_has_one_share() {
        let slots = Slots::new(10, 1);
        let _first = slots.take(key("2001:db8:1:2::1")).unwrap();
        assert!(slots.take(key("2001:db8:1:2:ffff::9")).is_none());
        assert!(slots.take(key("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn places_are_bounded_in_all_and_per_address_and_given_back() {
        let (one, two) = (key("127.0.0.1"), key("127.0.0.2"));
        let slots = Slots::new(3, 2);
        let first = slots.take(one).unwrap();
        let _second = slots.take(one).unwrap();
        assert!(slots.take(one).is_none(), "two of one address");
        let _third = slots.take(two).unwrap();
        assert!(slots.take(two).is_none(), "three in all");
        drop(first);
        assert!(slots.take(two).is_some());
    }
}
