//! The service from outside: a real server on a free port, real clients.

mod auth;
mod config;
mod http;
mod messages;
mod rooms;
mod socket;
mod support;
