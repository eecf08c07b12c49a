//! Which origins may frame a site's rooms, asked from the API and kept, so that a blog with many
//! readers costs the API one request a minute, and shows its rooms while the API refuses or is away.
//!
//! What the API has named stays apart from keys that name nothing, so that guessed keys push no site
//! out; and an address may have only a few keys looked up that name no known site.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use chat_listener::AddressKey;
use chat_types::endpoint::{Endpoint, GetSite};
use chat_types::id::SiteKey;
use chat_types::room::Site;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::allowance::Allowance;
use super::api::Api;

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_mins(1);
/// How long a known site is used at once while the API is asked behind. One that nobody visited for
/// longer is asked for first, so that an origin that was taken away is not served from memory.
const RENEWED_BEHIND: Duration = Duration::from_mins(5);
/// How long a known site is used while the API refuses or is away.
const KEPT: Duration = Duration::from_hours(12);
/// How long the API is left alone about a known site after it was asked in vain.
const PAUSE: Duration = Duration::from_secs(5);
/// How many keys that name nothing are remembered. Beyond that all of them are forgotten.
const NAMELESS: usize = 1_000;

/// Why there is no list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteError {
    /// There is no such site.
    NotFound,
    /// The API cannot be reached, refused, or did not answer in time.
    Unavailable,
    /// This address has had too many unknown keys looked up.
    TooMany,
}

/// A value of `frame-ancestors`.
type Ancestors = Arc<str>;
type Answer = Result<Ancestors, SiteError>;
/// A question that is under way; whoever has the same one waits for the same answer.
type Asking = Shared<BoxFuture<'static, Answer>>;

/// The sites, as the API knows them.
#[derive(Clone)]
pub struct Sites(Arc<Inner>);

struct Inner {
    api: Api,
    lookups: Allowance,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Sites that the API has named: as many as it has. Only its own word or age takes one out.
    known: HashMap<SiteKey, Known>,
    /// Keys that name nothing, and when the API said so.
    nameless: HashMap<SiteKey, Instant>,
    /// The questions that are under way.
    asking: HashMap<SiteKey, Asking>,
}

struct Known {
    ancestors: Ancestors,
    answered: Instant,
    asked: Instant,
}

/// What is remembered of a key, and what has to be done about it.
enum Remembered {
    /// To be used as it is.
    Answer(Answer),
    /// To be used at once, and asked again.
    Ageing(Ancestors),
    /// To be asked again, and used when there is no answer.
    Old(Ancestors),
    /// To be asked.
    Nothing,
}

impl Sites {
    /// Asks the API; for keys of no known site `lookups` times a minute for each address.
    pub fn new(api: Api, lookups: u32) -> Self {
        Self(Arc::new(Inner {
            api,
            lookups: Allowance::per_minute(lookups),
            memory: Mutex::default(),
        }))
    }

    /// The value of `frame-ancestors` for pages that show rooms of this site to this visitor.
    pub async fn frame_ancestors(&self, site: &SiteKey, visitor: AddressKey) -> Answer {
        self.frame_ancestors_at(site, visitor, Instant::now()).await
    }

    async fn frame_ancestors_at(
        &self,
        site: &SiteKey,
        visitor: AddressKey,
        now: Instant,
    ) -> Answer {
        let remembered = self.memory().recall(site, now);
        match remembered {
            Remembered::Answer(answer) => answer,
            Remembered::Ageing(ancestors) => {
                drop(self.ask(site, now));
                Ok(ancestors)
            }
            Remembered::Old(ancestors) => match self.ask(site, now).await {
                Err(SiteError::Unavailable) => Ok(ancestors),
                answer => answer,
            },
            Remembered::Nothing => self.look_up(site, visitor, now).await,
        }
    }

    async fn look_up(&self, site: &SiteKey, visitor: AddressKey, now: Instant) -> Answer {
        if !self.0.lookups.take(visitor, now) {
            return Err(SiteError::TooMany);
        }
        let answer = self.ask(site, now).await;
        if answer.is_ok() {
            self.0.lookups.put_back(visitor);
        }
        answer
    }

    /// Asks the API, in a task of its own: the answer is wanted even if this visitor goes away.
    fn ask(&self, site: &SiteKey, now: Instant) -> Asking {
        let mut memory = self.memory();
        if let Some(asking) = memory.asking.get(site) {
            return asking.clone();
        }
        let (sites, key) = (self.clone(), site.clone());
        let task = tokio::spawn(async move {
            let answer = sites.request(&key).await;
            sites.memory().learn(key, &answer, now);
            answer
        });
        let asking = task.map(|ended| ended.unwrap_or(Err(SiteError::Unavailable)));
        let asking = asking.boxed().shared();
        memory.asking.insert(site.clone(), asking.clone());
        asking
    }

    async fn request(&self, site: &SiteKey) -> Answer {
        let path = format!("/v1/sites/{site}");
        let answer = self.0.api.get(GetSite::PATH, &path);
        let (status, body) = answer.await.ok_or(SiteError::Unavailable)?;
        match status {
            StatusCode::OK => {
                let site: Site =
                    serde_json::from_slice(&body).map_err(|_| SiteError::Unavailable)?;
                Ok(ancestors(&site).into())
            }
            StatusCode::NOT_FOUND => Err(SiteError::NotFound),
            _ => Err(SiteError::Unavailable),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let memory = &self.0.memory;
        memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn recall(&mut self, site: &SiteKey, now: Instant) -> Remembered {
        let age = |since| now.saturating_duration_since(since);
        if self.nameless.get(site).is_some_and(|&at| age(at) < FRESH) {
            return Remembered::Answer(Err(SiteError::NotFound));
        }
        let Some(known) = self.known.get_mut(site) else {
            return Remembered::Nothing;
        };
        let ancestors = Arc::clone(&known.ancestors);
        match age(known.answered) {
            old if old >= KEPT => {
                self.known.remove(site);
                return Remembered::Nothing;
            }
            young if young < FRESH => return Remembered::Answer(Ok(ancestors)),
            _ if age(known.asked) < PAUSE => return Remembered::Answer(Ok(ancestors)),
            _ => known.asked = now,
        }
        if age(known.answered) < RENEWED_BEHIND {
            Remembered::Ageing(ancestors)
        } else {
            Remembered::Old(ancestors)
        }
    }

    fn learn(&mut self, site: SiteKey, answer: &Answer, now: Instant) {
        self.asking.remove(&site);
        match answer {
            Ok(ancestors) => {
                self.nameless.remove(&site);
                let known = Known {
                    ancestors: Arc::clone(ancestors),
                    answered: now,
                    asked: now,
                };
                self.known.insert(site, known);
            }
            Err(SiteError::NotFound) => {
                self.known.remove(&site);
                if self.nameless.len() >= NAMELESS {
                    self.nameless.clear();
                }
                self.nameless.insert(site, now);
            }
            Err(_) => {}
        }
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
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

    use axum::Json;
    use axum::extract::Path;
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;

    use super::*;

    /// What the API says about the site `blog`, and how often it was asked about anything. Every
    /// other site that begins with `real` is there, and no more.
    #[derive(Default)]
    struct FakeApi {
        status: AtomicU16,
        asked: AtomicUsize,
    }

    impl FakeApi {
        async fn start() -> (Arc<Self>, Sites) {
            let api = Arc::new(Self::default());
            api.says(200);
            let answering = Arc::clone(&api);
            let answer = move |Path(key): Path<String>| {
                let answering = Arc::clone(&answering);
                async move { answering.answer(&key) }
            };
            let router = axum::Router::new().route("/v1/sites/{key}", get(answer));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, router).await });
            (api, Sites::new(Api::new(base).unwrap(), LOOKUPS))
        }

        fn answer(&self, key: &str) -> Response {
            self.asked.fetch_add(1, Ordering::SeqCst);
            match self.status.load(Ordering::SeqCst) {
                200 if key == "blog" || key.starts_with("real") => {
                    Json(site(&["https://blog.example"])).into_response()
                }
                200 => StatusCode::NOT_FOUND.into_response(),
                status => StatusCode::from_u16(status).unwrap().into_response(),
            }
        }

        fn says(&self, status: u16) {
            self.status.store(status, Ordering::SeqCst);
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    const LOOKUPS: u32 = 3;
    const REFUSALS: [u16; 3] = [429, 500, 503];

    fn before(end: Duration) -> Duration {
        end.saturating_sub(Duration::from_millis(1))
    }

    fn key(text: &str) -> SiteKey {
        text.parse().unwrap()
    }

    fn visitor(number: u32) -> AddressKey {
        AddressKey::from(IpAddr::V4(Ipv4Addr::from(number)))
    }

    async fn visit_by(number: u32, sites: &Sites, site: &str, now: Instant) -> Answer {
        let site = key(site);
        sites.frame_ancestors_at(&site, visitor(number), now).await
    }

    async fn visit(sites: &Sites, site: &str, now: Instant) -> Answer {
        visit_by(1, sites, site, now).await
    }

    /// Waits for the questions that are under way.
    async fn settled(sites: &Sites) {
        let asking: Vec<_> = sites.memory().asking.values().cloned().collect();
        for question in asking {
            let _ = question.await;
        }
    }

    fn site(origins: &[&str]) -> Site {
        Site {
            key: key("blog"),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn a_fresh_answer_is_used_without_asking() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        for later in [Duration::ZERO, before(FRESH)] {
            let answer = visit(&sites, "blog", now + later).await;
            assert_eq!(&*answer.unwrap(), "https://blog.example");
        }
        assert_eq!(api.asked(), 1);
    }

    #[tokio::test]
    async fn an_ageing_answer_is_used_at_once_and_asked_again_behind_once() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        visit(&sites, "blog", now).await.unwrap();
        for _ in 0..5 {
            visit(&sites, "blog", now + FRESH).await.unwrap();
        }
        settled(&sites).await;
        assert_eq!(api.asked(), 2);
        visit(&sites, "blog", now + FRESH + before(FRESH))
            .await
            .unwrap();
        assert_eq!(api.asked(), 2, "what was asked behind is fresh");
    }

    #[tokio::test]
    async fn a_known_site_is_served_while_the_api_refuses_and_not_for_ever() {
        for refusal in REFUSALS {
            let ((api, sites), now) = (FakeApi::start().await, Instant::now());
            visit(&sites, "blog", now).await.unwrap();
            api.says(refusal);
            for later in [FRESH, RENEWED_BEHIND, before(KEPT)] {
                assert!(
                    visit(&sites, "blog", now + later).await.is_ok(),
                    "{later:?}"
                );
                settled(&sites).await;
            }
            let end = visit(&sites, "blog", now + KEPT).await;
            assert_eq!(end, Err(SiteError::Unavailable));
        }
    }

    #[tokio::test]
    async fn an_api_that_refuses_is_asked_about_a_site_only_now_and_then() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        visit(&sites, "blog", now).await.unwrap();
        api.says(429);
        let old = now + RENEWED_BEHIND;
        for later in [Duration::ZERO, Duration::ZERO, before(PAUSE)] {
            visit(&sites, "blog", old + later).await.unwrap();
        }
        assert_eq!(api.asked(), 2);
        visit(&sites, "blog", old + PAUSE).await.unwrap();
        assert_eq!(api.asked(), 3);
    }

    #[tokio::test]
    async fn a_site_that_is_gone_is_gone_when_nobody_visited_it_for_a_while() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        visit(&sites, "blog", now).await.unwrap();
        api.says(404);
        let gone = visit(&sites, "blog", now + RENEWED_BEHIND).await;
        assert_eq!(gone, Err(SiteError::NotFound));
    }

    #[tokio::test]
    async fn keys_that_name_nothing_push_no_site_out_and_cost_bounded_memory() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        visit(&sites, "blog", now).await.unwrap();
        for number in 0..=u32::try_from(NAMELESS).unwrap() {
            let answer = visit_by(number, &sites, &format!("guess-{number}"), now).await;
            assert_eq!(answer, Err(SiteError::NotFound));
        }
        assert!(sites.memory().nameless.len() <= NAMELESS);
        let asked = api.asked();
        assert!(visit(&sites, "blog", now).await.is_ok());
        assert_eq!(api.asked(), asked);
    }

    #[tokio::test]
    async fn an_address_has_few_unknown_keys_looked_up_and_known_sites_are_open_to_it() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        visit(&sites, "blog", now).await.unwrap();
        for guess in ["a", "b", "c"] {
            assert_eq!(visit(&sites, guess, now).await, Err(SiteError::NotFound));
        }
        assert_eq!(visit(&sites, "d", now).await, Err(SiteError::TooMany));
        assert_eq!(visit(&sites, "a", now).await, Err(SiteError::NotFound));
        assert_eq!(api.asked(), 4);
        assert!(visit(&sites, "blog", now).await.is_ok());
        let other = visit_by(2, &sites, "d", now).await;
        assert_eq!(other, Err(SiteError::NotFound));
    }

    #[tokio::test]
    async fn real_sites_use_up_no_allowance() {
        let ((_api, sites), now) = (FakeApi::start().await, Instant::now());
        for number in 0..2 * LOOKUPS {
            assert!(visit(&sites, &format!("real-{number}"), now).await.is_ok());
        }
    }

    #[tokio::test]
    async fn visitors_who_come_at_once_cost_one_question() {
        let ((api, sites), now) = (FakeApi::start().await, Instant::now());
        let blog = key("blog");
        let visits = (0..20).map(|number| sites.frame_ancestors_at(&blog, visitor(number), now));
        for answer in futures_util::future::join_all(visits).await {
            assert!(answer.is_ok());
        }
        assert_eq!(api.asked(), 1);
    }

    #[tokio::test]
    async fn an_api_that_is_away_is_unavailable() {
        let sites = Sites::new(Api::new("http://127.0.0.1:9".to_owned()).unwrap(), LOOKUPS);
        let answer = visit(&sites, "blog", Instant::now()).await;
        assert_eq!(answer, Err(SiteError::Unavailable));
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
