//! Whose a connection or a request is, for what is counted by address.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

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

/// The address of the client behind `trusted_proxies` proxies, each of which appends the address
/// that it sees to `X-Forwarded-For`. What stands further left was written by the client and is not
/// believed.
pub fn client_ip(headers: &HeaderMap, peer: SocketAddr, trusted_proxies: u8) -> IpAddr {
    let Some(hop) = usize::from(trusted_proxies).checked_sub(1) else {
        return peer.ip();
    };
    let lines = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let claimed = hops.iter().rev().nth(hop).and_then(|hop| hop.parse().ok());
    claimed.unwrap_or_else(|| peer.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(forwarded: &str, trusted_proxies: u8) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let peer = "192.0.2.1:5000".parse().unwrap();
        client_ip(&headers, peer, trusted_proxies).to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_header_is_ignored() {
        assert_eq!(seen("203.0.113.9", 0), "192.0.2.1");
    }

    #[test]
    fn each_trusted_proxy_vouches_for_one_hop() {
        assert_eq!(seen("203.0.113.9", 1), "203.0.113.9");
        assert_eq!(seen("6.6.6.6, 203.0.113.9", 1), "203.0.113.9");
        assert_eq!(seen("6.6.6.6, 203.0.113.9, 198.51.100.2", 2), "203.0.113.9");
    }

    #[test]
    fn a_header_that_names_no_address_counts_as_the_peer() {
        assert_eq!(seen("unknown", 1), "192.0.2.1");
        assert_eq!(seen("203.0.113.9", 2), "192.0.2.1");
    }

    #[test]
    fn one_subscriber_of_ipv6_is_one_address() {
        let key = |text: &str| AddressKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
