//! What the suite cannot know of: a server that fails, several nodes, and the opening of a database.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

mod given;
mod limits;
mod nodes;
mod opening;
mod outage;
mod schema;
