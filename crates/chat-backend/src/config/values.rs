//! Values of options that are more than a number: secrets, origins, sites.

use std::collections::BTreeSet;
use std::str::FromStr;

use chat_types::id::SiteKey;
use chat_types::room::Site;
use chat_types::text::RoomName;
use http::uri::Authority;

/// A secret from the environment. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The secret, for the one place that uses it.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// An origin as browsers send it: scheme, host, and the port unless it is the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not an origin such as https://chat.example.com (no path, no slash at the end)"
            )
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let host_and_port = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']')
        };
        let valid = matches!(scheme, "http" | "https")
            && !rest.is_empty()
            && rest.chars().all(host_and_port)
            && !rest.ends_with(':');
        if !valid {
            return Err(wrong());
        }
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let rest = rest.strip_suffix(default_port).unwrap_or(rest);
        Ok(Self(format!("{scheme}://{rest}")))
    }
}

pub(super) fn parse_site(text: &str) -> Result<Site, String> {
    let (key, origins) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not a site such as blog=https://blog.example.com"))?;
    let key: SiteKey = key
        .trim()
        .parse()
        .map_err(|_| format!("`{key}` is not a site key: 1 to 40 of a-z, 0-9 and -"))?;
    let origins = origins
        .split_whitespace()
        .map(|origin| match origin {
            "*" => Ok("*".to_owned()),
            origin => Origin::from_str(origin).map(|origin| origin.0),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() {
        return Err(format!("site `{key}` has no origin; use * for any"));
    }
    Ok(Site { key, origins })
}

/// The name of the room that a new installation begins with, if it begins with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRoom(pub Option<RoomName>);

pub(super) fn parse_first_room(text: &str) -> Result<FirstRoom, String> {
    if text.is_empty() {
        return Ok(FirstRoom(None));
    }
    let name = RoomName::parse(text);
    name.map(|name| FirstRoom(Some(name)))
        .map_err(|reason| format!("`{text}` cannot name a room: {reason}"))
}

/// Whether this is the name of a host alone, as `Host` has it before the port.
pub(super) fn is_host(text: &str) -> bool {
    let authority = text.parse::<Authority>();
    authority.is_ok_and(|authority| authority.host() == text)
}

/// The least length of a key that signs tokens (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// Why a key is too weak to sign with, if it is.
pub(super) fn weakness(key: &[u8]) -> Option<String> {
    let distinct: BTreeSet<u8> = key.iter().copied().collect();
    match key.len() {
        n if n < SECRET_BYTES => Some(format!(
            "is too short: {n} bytes, at least {SECRET_BYTES} are needed"
        )),
        _ if distinct.len() < 8 => {
            Some("is too easy to guess: it repeats a few characters".to_owned())
        }
        _ => None,
    }
}
