//! Messages: sending and changing them, for HTTP and socket alike. Each operation commits, then
//! publishes, even when its caller goes away in between.

mod change;
mod history;
pub mod http;
mod send;

pub use change::{delete, edit, pin, react};
pub use send::{PIPELINED_SENDS, Sender, Sending, hold_back, send};
