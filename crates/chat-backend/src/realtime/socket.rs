//! `GET /v1/ws`: who may open a socket, and how a refusal is told.
//!
//! A browser shows a page nothing of a refused upgrade but a blank 1006. So a foreign origin, an
//! unknown subprotocol or one socket too many is accepted and then closed with the code that says so.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_listener::{AddressKey, Slot, client_ip};
use chat_types::close::CloseCode;
use chat_types::endpoint::SOCKET_PATH;
use chat_types::limits::{FRAME_BYTES, MESSAGE_FRAGMENTS};
use chat_types::problem::ErrorCode;
use chat_types::ws::SUBPROTOCOL;
use http::{HeaderMap, HeaderValue, header};

use super::connection;
use super::wire::{Handshake, Limits};
use crate::error::ApiError;
use crate::metrics::{Closed, socket_closed};
use crate::state::AppState;

/// The route of the socket.
pub fn routes() -> axum::Router<AppState> {
    axum::Router::new().route(SOCKET_PATH, get(connect))
}

async fn connect(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(slot): Extension<Arc<Slot>>,
    mut request: Request,
) -> Result<Response, ApiError> {
    if request.uri().query().is_some() {
        let malformed = ApiError::new(ErrorCode::Malformed);
        return Err(malformed.detail("the socket takes no query: a token there would be logged"));
    }
    let handshake = Handshake::read(&mut request)
        .map_err(|error| ApiError::new(ErrorCode::Malformed).detail(error.to_string()))?;
    let address = client_ip(request.headers(), peer, state.config.trusted_proxies);
    let registration = state.hub.admit(AddressKey::from(address));
    let (subprotocol, served) = choose_subprotocol(request.headers());
    let refusal = if !origin_may_connect(&state, request.headers()) {
        Some(CloseCode::OriginRefused)
    } else if !served {
        Some(CloseCode::UnsupportedVersion)
    } else {
        None
    };
    let limits = Limits {
        message_bytes: FRAME_BYTES,
        message_fragments: MESSAGE_FRAGMENTS,
        message_time: state.hub.settings().message,
        write_stall: state.hub.settings().write_stall,
    };
    let (response, opening) = handshake.accept(subprotocol, limits);
    // The parts are on the heap: what the handshake needed, and the moves of the socket, must not stay in
    // the memory of an idle connection.
    let opening = Box::pin(opening);
    let tasks = state.lifecycle.tasks().clone();
    tasks.spawn(async move {
        let _slot = slot;
        let Some(wire) = opening.await.map(Box::new) else {
            return;
        };
        metrics::counter!("chat_sockets_opened_total").increment(1);
        match refusal {
            Some(code) => {
                socket_closed(Closed::Code(code));
                Box::pin(wire.close(code.code(), code.reason(None))).await;
            }
            None => Box::pin(connection::serve(state, wire, registration)).await,
        }
    });
    Ok(response.into_response())
}

/// The subprotocol to answer with, and whether it is served.
fn choose_subprotocol(headers: &HeaderMap) -> (Option<HeaderValue>, bool) {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .peekable();
    let first = offered
        .peek()
        .and_then(|name| HeaderValue::from_str(name).ok());
    if offered.any(|name| name == SUBPROTOCOL) {
        (Some(HeaderValue::from_static(SUBPROTOCOL)), true)
    } else {
        (first, false)
    }
}

/// A page of another origin may not use the reader's address or network position. Programs that are
/// not browsers send no Origin.
fn origin_may_connect(state: &AppState, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin
            .to_str()
            .is_ok_and(|origin| state.config.origin_allowed(origin)),
        (Some(_), Some(_)) => false,
    }
}
