//! One WebSocket of the browser, told apart from earlier ones by its name.

use chat_client::{ConnId, Input};
use chat_types::endpoint::SOCKET_PATH;
use chat_types::ws::SUBPROTOCOL;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

use super::document;
use crate::config::socket_base;

/// As browsers report a socket that could not be opened.
const ABNORMAL: u16 = 1006;

/// What hears of a socket's fate.
struct Listeners {
    open: Closure<dyn FnMut(Event)>,
    message: Closure<dyn FnMut(MessageEvent)>,
    close: Closure<dyn FnMut(CloseEvent)>,
}

/// An open socket, or one that is opening. Dropping it closes it and silences it.
pub struct Socket {
    conn: ConnId,
    web: WebSocket,
    _listeners: Listeners,
}

impl Socket {
    /// Opens a socket. `tell` gets what happens to it.
    ///
    /// # Errors
    /// The event to feed where the browser refuses at once, such as `ws:` from an https page.
    pub fn open(conn: ConnId, tell: impl Fn(Input) + Clone + 'static) -> Result<Self, Input> {
        let url = format!("{}{SOCKET_PATH}", socket_base(&document::api_base()));
        let refused = |_| Input::Closed {
            conn,
            code: ABNORMAL,
            reason: String::new(),
        };
        let web = WebSocket::new_with_str(&url, SUBPROTOCOL).map_err(refused)?;
        let listeners = Listeners {
            open: on_open(conn, tell.clone()),
            message: on_message(conn, tell.clone()),
            close: on_close(conn, tell),
        };
        web.set_onopen(Some(listeners.open.as_ref().unchecked_ref()));
        web.set_onmessage(Some(listeners.message.as_ref().unchecked_ref()));
        web.set_onclose(Some(listeners.close.as_ref().unchecked_ref()));
        Ok(Self {
            conn,
            web,
            _listeners: listeners,
        })
    }

    /// Its name.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Sends a frame. One that cannot be sent is lost with the socket, and `closed` follows.
    pub fn send(&self, text: &str) {
        // A socket that is closing refuses; the close event that follows tells the client.
        let _ = self.web.send_with_str(text);
    }

    /// Closes it; nothing more is heard from it.
    pub fn close(self, code: u16) {
        self.silence();
        // Only a code that browsers do not allow is refused, and the client names none.
        let _ = self.web.close_with_code(code);
    }

    fn silence(&self) {
        self.web.set_onopen(None);
        self.web.set_onmessage(None);
        self.web.set_onclose(None);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.silence();
        // As above; closing a closed socket does nothing.
        let _ = self.web.close();
    }
}

fn on_open(conn: ConnId, tell: impl Fn(Input) + 'static) -> Closure<dyn FnMut(Event)> {
    Closure::new(move |_| tell(Input::Opened { conn }))
}

fn on_message(conn: ConnId, tell: impl Fn(Input) + 'static) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| {
        if let Some(text) = event.data().as_string() {
            tell(Input::Frame { conn, text });
        }
    })
}

fn on_close(conn: ConnId, tell: impl Fn(Input) + 'static) -> Closure<dyn FnMut(CloseEvent)> {
    Closure::new(move |event: CloseEvent| {
        tell(Input::Closed {
            conn,
            code: event.code(),
            reason: event.reason(),
        });
    })
}
