//! The client's rules one by one, each test named for what it promises.

mod connection;
mod history;
mod sending;
mod session;
mod support;
mod timeline;
