//! Somebody who uses the service, and the requests that tests make most.

use std::any::TypeId;
use std::fmt::Display;

use chat_types::account::{Empty, SignedIn};
use chat_types::endpoint::{Endpoint, GetHistory, GetRoom, NewRoom, OpenPageRoom, PostMessage};
use chat_types::event::User;
use chat_types::id::{ClientId, MessageId, RoomId};
use chat_types::problem::{ErrorCode, Problem};
use chat_types::room::{
    CreateRoom, History, HistoryQuery, OpenPage, RoomKind, RoomSummary, SendMessage, Sent,
};
use uuid::Uuid;

use super::TestApp;

/// An id that fills a part of a path.
pub type Id<'a> = &'a (dyn Display + Sync);

/// One person at one device.
#[derive(Clone)]
pub struct Person {
    http: reqwest::Client,
    base: String,
    /// What signing in gave; absent for a visitor.
    pub login: Option<SignedIn>,
}

/// A request that was refused.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub problem: Problem,
}

impl Refused {
    pub fn code(&self) -> ErrorCode {
        self.problem.code
    }
}

/// A new client id, as a browser would make one.
pub fn new_client_id() -> ClientId {
    ClientId::from_uuid(Uuid::now_v7())
}

impl Person {
    pub(super) fn visitor(app: &TestApp) -> Self {
        Self {
            http: app.http.clone(),
            base: app.url(""),
            login: None,
        }
    }

    /// The same person, signed in.
    pub fn signed_in(&self, login: SignedIn) -> Self {
        Self {
            login: Some(login),
            ..self.clone()
        }
    }

    pub fn user(&self) -> &User {
        &self.login.as_ref().expect("somebody who is signed in").user
    }

    pub fn login(&self) -> &SignedIn {
        self.login.as_ref().expect("somebody who is signed in")
    }

    pub fn token(&self) -> &str {
        &self.login().tokens.access_token
    }

    /// A request without a query; `ids` fill the path.
    pub async fn call<E: Endpoint<Query = Empty, Body: 'static>>(
        &self,
        ids: &[Id<'_>],
        body: E::Body,
    ) -> Result<E::Response, Refused> {
        self.request::<E>(ids, Empty {}, body).await
    }

    /// Any request.
    pub async fn request<E: Endpoint<Body: 'static>>(
        &self,
        ids: &[Id<'_>],
        query: E::Query,
        body: E::Body,
    ) -> Result<E::Response, Refused> {
        let answer = self.prepare::<E>(ids, query, body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        match status {
            200..300 => Ok(serde_json::from_slice(&bytes).unwrap()),
            _ => Err(Refused {
                status,
                headers,
                problem: serde_json::from_slice(&bytes).unwrap(),
            }),
        }
    }

    /// A request that is not sent yet.
    pub fn prepare<E: Endpoint<Body: 'static>>(
        &self,
        ids: &[Id<'_>],
        query: E::Query,
        body: E::Body,
    ) -> reqwest::RequestBuilder {
        let query = serde_urlencoded::to_string(query).unwrap();
        let url = format!("{}{}?{query}", self.base, filled(E::PATH, ids));
        let method = E::METHOD.as_str().parse().unwrap();
        let mut request = self.http.request(method, url.trim_end_matches('?'));
        if let Some(login) = &self.login {
            request = request.bearer_auth(&login.tokens.access_token);
        }
        if TypeId::of::<E::Body>() == TypeId::of::<Empty>() {
            return request;
        }
        request.json(&body)
    }

    pub async fn room(&self, kind: RoomKind, name: &str) -> RoomId {
        let request = CreateRoom {
            kind,
            name: name.to_owned(),
            topic: String::new(),
        };
        self.call::<NewRoom>(&[], request).await.unwrap().room.id
    }

    pub async fn open_page(&self, site: &str, page: &str) -> RoomSummary {
        let request = OpenPage {
            site: site.parse().unwrap(),
            page: page.parse().unwrap(),
            title: None,
        };
        self.call::<OpenPageRoom>(&[], request).await.unwrap()
    }

    pub async fn get_room(&self, room: RoomId) -> Result<RoomSummary, Refused> {
        self.call::<GetRoom>(&[&room], Empty {}).await
    }

    pub async fn send(&self, room: RoomId, body: &str) -> Result<Sent, Refused> {
        self.send_as(room, new_client_id(), body).await
    }

    pub async fn send_as(
        &self,
        room: RoomId,
        client_id: ClientId,
        body: &str,
    ) -> Result<Sent, Refused> {
        let body = body.to_owned();
        let request = SendMessage {
            client_id,
            body,
            reply_to: None::<MessageId>,
        };
        self.call::<PostMessage>(&[&room], request).await
    }

    pub async fn history(&self, room: RoomId) -> Result<History, Refused> {
        let query = HistoryQuery::default();
        self.request::<GetHistory>(&[&room], query, Empty {}).await
    }
}

fn filled(path: &str, ids: &[Id<'_>]) -> String {
    let mut ids = ids.iter().map(ToString::to_string);
    let parts = path.split('/').map(|part| {
        let id = part
            .starts_with('{')
            .then(|| ids.next().expect("an id for each part"));
        id.unwrap_or_else(|| part.to_owned())
    });
    parts.collect::<Vec<_>>().join("/")
}
