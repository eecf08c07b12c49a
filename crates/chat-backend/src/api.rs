//! How an endpoint of `chat-types` becomes a route and an entry of the API document: both from one
//! typed registration, so neither can miss what the other has.

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use chat_types::endpoint::{Access, Endpoint, Method};
use chat_types::id::UserId;
use chat_types::problem::ErrorCode;
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use tracing::Instrument;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{self, Client, PathParams};
use crate::openapi::Document;
use crate::state::AppState;

/// One request to an endpoint, read and checked.
pub struct Call<E: Endpoint> {
    /// The service.
    pub state: AppState,
    /// Where it comes from.
    pub client: Client,
    /// Who calls, if they are signed in; never looked at for [`Access::Anyone`].
    pub visitor: Option<Caller>,
    /// The parts of the path.
    pub path: PathParams,
    /// The query string.
    pub query: E::Query,
    /// The body.
    pub body: E::Body,
}

impl<E: Endpoint<Body: 'static>> Call<E> {
    /// The signed-in caller.
    ///
    /// # Errors
    /// `unauthorized` for a visitor.
    pub fn caller(&self) -> Result<&Caller, ApiError> {
        self.visitor.as_ref().ok_or_else(unauthorized)
    }

    /// As whom the caller sees things.
    pub fn viewer(&self) -> Option<UserId> {
        self.visitor.as_ref().map(|caller| caller.user.id)
    }

    /// Takes one from what the caller's address may read.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn limit_reads(&self) -> Result<(), ApiError> {
        self.state
            .rates
            .reads
            .take(self.client.key(), self.state.now())
    }

    async fn read(state: AppState, request: Request) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let client = Client::of(&parts, &state.config)?;
        let path = path_params(&mut parts).await?;
        let visitor = visitor::<E>(&state, &parts).await?;
        let query = extract::query(parts.uri.query())?;
        let body = extract::body::<E::Body>(E::METHOD, &parts.headers, body).await?;
        Ok(Self {
            state,
            client,
            visitor,
            path,
            query,
            body,
        })
    }
}

fn unauthorized() -> ApiError {
    ApiError::new(ErrorCode::Unauthorized).detail("an access token is needed")
}

async fn path_params(parts: &mut Parts) -> Result<PathParams, ApiError> {
    let raw = RawPathParams::from_request_parts(parts, &()).await;
    raw.map(PathParams::from)
        .map_err(|_| ApiError::new(ErrorCode::NotFound))
}

/// The caller as far as the endpoint looks at them: no token is fine for a visitor, a bad one never.
async fn visitor<E: Endpoint>(state: &AppState, parts: &Parts) -> Result<Option<Caller>, ApiError> {
    let token = match E::ACCESS {
        Access::Anyone => None,
        Access::Visitor => extract::bearer(&parts.headers)?,
        Access::User => Some(extract::bearer(&parts.headers)?.ok_or_else(unauthorized)?),
    };
    match token {
        Some(token) => Ok(Some(crate::auth::verify(state, token).await?)),
        None => Ok(None),
    }
}

/// A successful answer.
pub struct Reply<T> {
    status: StatusCode,
    body: T,
}

impl<T: serde::Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// What a handler returns.
pub type Answer<T> = Result<Reply<T>, ApiError>;

/// 200 with a body.
pub fn ok<T>(body: T) -> Answer<T> {
    let status = StatusCode::OK;
    Ok(Reply { status, body })
}

/// 201 with what was made.
pub fn created<T>(body: T) -> Answer<T> {
    let status = StatusCode::CREATED;
    Ok(Reply { status, body })
}

/// The size of a page: what was asked for, or 50.
///
/// # Errors
/// `invalid` outside of 1 to `max`.
pub fn page_size(asked: Option<u32>, max: u32) -> Result<u32, ApiError> {
    const DEFAULT: u32 = 50;
    match asked.unwrap_or(DEFAULT) {
        size if (1..=max).contains(&size) => Ok(size),
        _ => Err(ApiError::invalid_value(
            "limit",
            "a page has 1 to 100 entries",
        )),
    }
}

/// The routes and their document.
pub struct Api {
    /// What is served.
    pub router: Router<AppState>,
    /// What is documented.
    pub document: Document,
}

impl Api {
    /// Nothing yet.
    pub fn empty() -> Self {
        Self {
            router: Router::new(),
            document: Document::empty(),
        }
    }

    /// Serves an endpoint with a handler and documents it.
    pub fn route<E, H, F>(mut self, handler: H) -> Self
    where
        E: Endpoint + 'static,
        E::Query: JsonSchema + Send,
        E::Body: JsonSchema + Send + 'static,
        E::Response: JsonSchema + Send + 'static,
        H: Fn(Call<E>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer<E::Response>> + Send + 'static,
    {
        let serve = move |State(state): State<AppState>, request: Request| {
            let handler = handler.clone();
            async move { answer(handler, state, request).await }
        };
        self.router = self.router.route(E::PATH, on(filter(E::METHOD), serve));
        self.document.add::<E>();
        self
    }
}

/// Runs the handler. One that may change something runs to its end even when the client hangs up:
/// the change and what is told of it afterwards are one piece of work.
async fn answer<E, H, F>(handler: H, state: AppState, request: Request) -> Answer<E::Response>
where
    E: Endpoint,
    E::Body: 'static,
    E::Response: Send + 'static,
    H: Fn(Call<E>) -> F,
    F: Future<Output = Answer<E::Response>> + Send + 'static,
{
    let lifecycle = state.lifecycle.clone();
    let work = handler(Call::read(state, request).await?);
    match E::METHOD {
        Method::Get => work.await,
        Method::Post | Method::Put | Method::Patch | Method::Delete => {
            lifecycle.run(work.in_current_span()).await
        }
    }
}

const fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}
