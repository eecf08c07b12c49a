//! What the server says, document by document.

use chat_types::decode;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Err, Ok, ServerDoc};

use super::{Client, Request};
use crate::effect::Notice;
use crate::input::ConnId;

impl Client {
    pub(super) fn frame(&mut self, now: Timestamp, conn: ConnId, text: &str) {
        if self.link.conn() != Some(conn) {
            return;
        }
        self.heard(now);
        for document in text.lines() {
            // A document may end the connection; what follows it in the frame is then stale.
            if self.link.conn() != Some(conn) {
                return;
            }
            // One that cannot be read is skipped: were it an event, the gap is found and repaired.
            if let Some(document) = decode::from_text(document) {
                self.document(now, document);
            }
        }
    }

    fn document(&mut self, now: Timestamp, document: ServerDoc) {
        match document {
            ServerDoc::Welcome(welcome) => {
                self.answered(welcome.id);
                self.welcomed(now, *welcome);
            }
            ServerDoc::Ok(ok) => self.succeeded(now, ok),
            ServerDoc::Err(error) => self.failed(now, &error),
            ServerDoc::Subbed(subbed) => self.subbed(now, *subbed),
            ServerDoc::Page(page) => self.page(now, page),
            ServerDoc::Ev(event) => self.event(now, event),
            ServerDoc::Eph { room, data } => self.ephemeral(now, room, data),
            ServerDoc::Resync { room } => self.resync(now, room),
            ServerDoc::Unsubbed { room, reason } => self.unsubbed(now, room, reason),
            ServerDoc::RoomAdded { summary } => self.notify(Notice::RoomAdded(summary)),
            ServerDoc::Ping { heads } => {
                self.tell(&Command::Pong {});
                self.heads(now, &heads);
            }
            ServerDoc::AuthSoon { .. } => self.ask_refresh(now),
            ServerDoc::GoingAway { retry_ms } => self.going_away(retry_ms),
            ServerDoc::Notice { text } => self.notify(Notice::ServerNotice(text)),
            ServerDoc::Unknown => {}
        }
    }

    fn succeeded(&mut self, now: Timestamp, ok: Ok) {
        match self.answered(ok.id) {
            Some(Request::Auth) => self.authenticated(now),
            Some(Request::Send(room, client_id)) => {
                if let Some(sent) = ok.sent {
                    self.accepted(room, client_id, &sent);
                }
            }
            Some(Request::Command) => self.command_done(ok.id),
            // The rest shows in the feed, or needs no answer.
            _ => {}
        }
    }

    fn failed(&mut self, now: Timestamp, error: &Err) {
        let Some(id) = error.id else { return };
        let Some(request) = self.answered(id) else {
            return;
        };
        match request {
            Request::Hello => self.hello_refused(now, error),
            Request::Auth => self.auth_refused(now, error),
            Request::Sub(room) => self.sub_refused(now, room, error),
            Request::Sync(room) => self.sync_refused(now, room, error),
            Request::Send(room, client_id) => self.send_refused(now, room, client_id, error),
            Request::Command => self.command_refused(now, id, error),
            Request::Unsub => {}
        }
    }
}
