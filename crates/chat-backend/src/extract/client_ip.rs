//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use chat_listener::{AddressKey, client_ip};
use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::request::Parts;

use crate::config::Config;
use crate::error::ApiError;

/// The client of a request, as far as it can be told.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address, behind the trusted proxies. Never logged.
    pub address: IpAddr,
    /// The device in words, at most 200 characters; untrusted.
    pub device: String,
    /// The languages of its reader, as the browser writes them.
    pub languages: String,
}

/// Characters of a user agent that are kept: a phone's, with the name of its browser at the end, has
/// about 140.
const DEVICE_CHARS: usize = 200;

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
            device: device(text(USER_AGENT).unwrap_or_default()),
            languages: text(ACCEPT_LANGUAGE).unwrap_or_default().to_owned(),
        })
    }

    /// What its rates are counted by.
    pub fn key(&self) -> AddressKey {
        AddressKey::from(self.address)
    }
}

fn device(user_agent: &str) -> String {
    user_agent.chars().take(DEVICE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_kept_up_to_its_limit() {
        let longest = "x".repeat(DEVICE_CHARS);
        assert_eq!(device(&longest), longest);
        assert_eq!(device(&format!("{longest}y")), longest);
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                     (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
        assert_eq!(device(phone), phone);
    }
}
