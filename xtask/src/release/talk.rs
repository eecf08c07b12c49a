//! A talk that a back end holds: what is written through one release has to be there through the next one,
//! and through the one before when that takes over again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
const USERNAME: &str = "mina.kim";
const PASSWORD: &str = "correct horse battery staple";

/// What was said so far, and what lets its people go on.
pub(super) struct Talk {
    room: String,
    /// A guest's way back in; each use of it gives the next one.
    guest: String,
    /// The history as a visitor reads it.
    history: Value,
    said: u32,
}

impl Talk {
    /// An account and a guest in a public room do once what is stored.
    pub(super) fn begin(api: SocketAddr) -> anyhow::Result<Self> {
        let account = json!({ "username": USERNAME, "password": PASSWORD });
        let owner = token(&ask(api, None, "POST /v1/accounts", &account)?)?;
        let guest = ask(api, None, "POST /v1/guests", &json!({ "name": "jun" }))?;
        let new = json!({ "kind": "public", "name": "A talk", "topic": "what stays" });
        let room = ask(api, Some(&owner), "POST /v1/rooms", &new)?;
        let room = text(&room, "/room/id")?;
        let mut talk = Self {
            guest: text(&guest, "/tokens/refresh_token")?,
            history: Value::Null,
            said: 0,
            room,
        };
        let joins = format!("PUT /v1/rooms/{}/members/me", talk.room);
        ask(api, Some(&token(&guest)?), &joins, &json!({}))?;
        let edited = talk.say(api, &token(&guest)?)?;
        let deleted = talk.say(api, &owner)?;
        let of =
            |message: &str, what: &str| format!("/v1/rooms/{}/messages/{message}{what}", talk.room);
        let changes = [
            (
                token(&guest)?,
                format!("PATCH {}", of(&edited, "")),
                json!({ "body": "안녕하세요, 여러분" }),
            ),
            (
                owner.clone(),
                format!("PUT {}", of(&edited, "/reactions")),
                json!({ "emoji": "👍", "on": true }),
            ),
            (
                owner.clone(),
                format!("PUT {}", of(&edited, "/pin")),
                json!({ "on": true }),
            ),
            (
                owner.clone(),
                format!("DELETE {}", of(&deleted, "")),
                json!({}),
            ),
            (
                owner.clone(),
                format!("PUT /v1/rooms/{}/read", talk.room),
                json!({ "number": 2 }),
            ),
            (
                owner,
                format!("POST /v1/rooms/{}/invites", talk.room),
                json!({}),
            ),
        ];
        for (person, what, body) in changes {
            ask(api, Some(&person), &what, &body)?;
        }
        talk.history = talk.read(api)?;
        Ok(talk)
    }

    /// Everything is there, both people come back in by what they were given, and go on.
    pub(super) fn go_on(&mut self, api: SocketAddr) -> anyhow::Result<()> {
        let history = self.read(api)?;
        if !holds(&history, &self.history) {
            bail!("the history was {} and is {history}", self.history);
        }
        let known = json!({ "username": USERNAME, "password": PASSWORD });
        let owner = token(&ask(api, None, "POST /v1/sessions", &known)?)?;
        let rooms = ask(api, Some(&owner), "GET /v1/rooms", &Value::Null)?;
        if !rooms.to_string().contains(&self.room) {
            bail!("the owner's room is not among {rooms}");
        }
        let known = json!({ "refresh_token": self.guest });
        let guest = ask(api, None, "POST /v1/sessions/refresh", &known)?;
        self.guest = text(&guest, "/tokens/refresh_token")?;
        self.say(api, &owner)?;
        self.say(api, &token(&guest)?)?;
        self.history = self.read(api)?;
        Ok(())
    }

    fn say(&mut self, api: SocketAddr, person: &str) -> anyhow::Result<String> {
        self.said += 1;
        let message = json!({
            "client_id": format!("019a4c1e-79f0-7abc-9def-{:012x}", self.said),
            "body": format!("{} 👋", self.said),
        });
        let send = format!("POST /v1/rooms/{}/messages", self.room);
        text(&ask(api, Some(person), &send, &message)?, "/id")
    }

    fn read(&self, api: SocketAddr) -> anyhow::Result<Value> {
        let read = format!("GET /v1/rooms/{}/messages", self.room);
        let page = ask(api, None, &read, &Value::Null)?;
        Ok(page["messages"].clone())
    }
}

/// Whether a list begins with another one, whose documents may have got more fields since.
fn holds(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before
            .iter()
            .all(|(field, value)| now.get(field).is_some_and(|it| holds(it, value))),
        (Value::Array(now), Value::Array(before)) => {
            now.len() >= before.len() && now.iter().zip(before).all(|(it, value)| holds(it, value))
        }
        (now, before) => now == before,
    }
}

fn token(signed_in: &Value) -> anyhow::Result<String> {
    text(signed_in, "/tokens/access_token")
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value
        .map(str::to_owned)
        .with_context(|| format!("there is no {pointer} in {answer}"))
}

/// Asks one thing, and takes nothing but a success.
fn ask(api: SocketAddr, token: Option<&str>, what: &str, body: &Value) -> anyhow::Result<Value> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let token = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let mut stream = TcpStream::connect_timeout(&api, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n{token}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .with_context(|| format!("{what}: no answer"))?;
    let (head, document) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{what}: not an answer, {answer:?}"))?;
    if !head.starts_with("HTTP/1.1 2") {
        bail!(
            "{what}: {} {document}",
            head.lines().next().unwrap_or_default()
        );
    }
    serde_json::from_str(document).with_context(|| format!("{what}: not JSON, {document:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_fields_and_more_messages_are_still_the_same_talk() {
        let before = json!([{ "id": "a", "content": { "body": "hello" }, "reactions": ["👍"] }]);
        let mut now = before.clone();
        now[0]["mood"] = json!("glad");
        now.as_array_mut().unwrap().push(json!({ "id": "b" }));
        assert!(holds(&now, &before));
        assert!(!holds(&before, &now));
    }

    #[test]
    fn another_text_or_a_missing_message_is_another_talk() {
        let before = json!([{ "content": { "body": "hello" } }, { "content": { "body": "bye" } }]);
        assert!(!holds(
            &json!([{ "content": { "body": "hello" } }]),
            &before
        ));
        let mut other = before.clone();
        other[1]["content"]["body"] = json!("bye bye");
        assert!(!holds(&other, &before));
    }
}
