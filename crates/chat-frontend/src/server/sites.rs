//! Which origins may frame a site's rooms, asked from the API and kept for a short while, so that a
//! blog with many readers costs the API one request a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_types::id::SiteKey;
use chat_types::room::Site;

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_mins(1);
/// How long the API may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many sites are remembered; guessed keys must not fill the memory.
const REMEMBERED: usize = 1_000;

/// Why there is no list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteError {
    /// There is no such site.
    NotFound,
    /// The API cannot be reached or did not answer in time.
    Unavailable,
}

/// The sites, as the API knows them.
pub struct Sites {
    api: String,
    client: reqwest::Client,
    known: Mutex<HashMap<SiteKey, (Instant, Option<String>)>>,
}

impl Sites {
    /// Asks the API at `api`.
    ///
    /// # Panics
    /// Only where the operating system gives no source of randomness.
    pub fn new(api: String) -> Self {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client without special settings can be made");
        Self {
            api,
            client,
            known: Mutex::default(),
        }
    }

    /// The value of `frame-ancestors` for pages that show rooms of this site.
    pub async fn frame_ancestors(&self, site: &SiteKey) -> Result<String, SiteError> {
        let answer = match self.remembered(site) {
            Some(answer) => answer,
            None => self.ask(site).await?,
        };
        answer.ok_or(SiteError::NotFound)
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is whether it is known, the inner one whether it exists"
    )]
    fn remembered(&self, site: &SiteKey) -> Option<Option<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(site)
            .filter(|(at, _)| at.elapsed() < FRESH)
            .map(|(_, answer)| answer.clone())
    }

    async fn ask(&self, site: &SiteKey) -> Result<Option<String>, SiteError> {
        let response = self
            .client
            .get(format!("{}/v1/sites/{site}", self.api))
            .send()
            .await
            .map_err(|_| SiteError::Unavailable)?;
        let answer = match response.status().as_u16() {
            200 => Some(ancestors(
                &response
                    .json::<Site>()
                    .await
                    .map_err(|_| SiteError::Unavailable)?,
            )),
            404 => None,
            _ => return Err(SiteError::Unavailable),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(site.clone(), (Instant::now(), answer.clone()));
        Ok(answer)
    }
}

/// Origins as a source list. What is not plainly an origin is left out: the list is part of a header
/// in which `;` and spaces mean something.
fn ancestors(site: &Site) -> String {
    let plain = |origin: &&String| {
        *origin == "*"
            || (origin.starts_with("http://") || origin.starts_with("https://"))
                && origin
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-.:/[]".contains(c))
    };
    let listed: Vec<&str> = site
        .origins
        .iter()
        .filter(plain)
        .map(String::as_str)
        .collect();
    if listed.is_empty() {
        "'none'".to_owned()
    } else {
        listed.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(origins: &[&str]) -> Site {
        Site {
            key: "blog".parse().unwrap(),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        }
    }

    #[test]
    fn the_sites_origins_may_frame_it() {
        assert_eq!(
            ancestors(&site(&["https://blog.example", "http://10.0.0.1:4000"])),
            "https://blog.example http://10.0.0.1:4000"
        );
        assert_eq!(ancestors(&site(&["*"])), "*");
    }

    #[test]
    fn an_origin_cannot_smuggle_in_another_rule() {
        assert_eq!(ancestors(&site(&["https://a; script-src *"])), "'none'");
        assert_eq!(ancestors(&site(&[])), "'none'");
    }
}
