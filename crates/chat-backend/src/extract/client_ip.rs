//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::request::Parts;

use crate::config::Config;
use crate::error::ApiError;
use crate::rate_limit::AddressKey;

/// The client of a request, as far as it can be told.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address, behind the trusted proxies. Never logged.
    pub address: IpAddr,
    /// The device in words, at most 120 characters; untrusted.
    pub device: String,
    /// The languages of its reader, as the browser writes them.
    pub languages: String,
}

const DEVICE_CHARS: usize = 120;

impl Client {
    /// The client of this request.
    ///
    /// # Errors
    /// `internal` when the listener did not say who is connected.
    pub fn of(parts: &Parts, config: &Config) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.ok_or_else(|| ApiError::internal("the listener gave no peer address"))?;
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Self {
            address: client_ip(&parts.headers, peer.0, config.trusted_proxies),
            device: text(USER_AGENT)
                .unwrap_or_default()
                .chars()
                .take(DEVICE_CHARS)
                .collect(),
            languages: text(ACCEPT_LANGUAGE).unwrap_or_default().to_owned(),
        })
    }

    /// What its rates are counted by.
    pub fn key(&self) -> AddressKey {
        AddressKey::from(self.address)
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
}
