//! Messages over HTTP.

use chat_types::endpoint::{
    DeleteMessage, Endpoint, GetHistory, PatchMessage, PostMessage, PutPin, PutReaction,
};
use chat_types::room::{Changed, History, Sent};

use super::{Sender, delete, edit, history, pin, react, send};
use crate::api::{Answer, Api, Call, created, ok};
use crate::error::ApiError;

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<GetHistory, _, _>(list_messages)
        .route::<PostMessage, _, _>(send_message)
        .route::<PatchMessage, _, _>(edit_message)
        .route::<DeleteMessage, _, _>(delete_message)
        .route::<PutReaction, _, _>(put_reaction)
        .route::<PutPin, _, _>(pin_message)
}

fn sender<E: Endpoint<Body: 'static>>(call: &Call<E>) -> Result<Sender<'_>, ApiError> {
    Ok(Sender {
        caller: call.caller()?,
        address: call.client.key(),
    })
}

async fn list_messages(call: Call<GetHistory>) -> Answer<History> {
    call.limit_reads()?;
    let room = call.path.id("room")?;
    ok(history::read(&call.state, call.visitor.as_ref(), room, &call.query).await?)
}

async fn send_message(call: Call<PostMessage>) -> Answer<Sent> {
    let room = call.path.id("room")?;
    let sending = send(&call.state, sender(&call)?, room, call.body.clone());
    let sent = sending.sent.await?;
    if sent.duplicate {
        ok(sent)
    } else {
        created(sent)
    }
}

async fn edit_message(call: Call<PatchMessage>) -> Answer<Changed> {
    let (room, message) = (call.path.id("room")?, call.path.id("message")?);
    let body = call.body.body.clone();
    let seq = edit(&call.state, sender(&call)?, room, message, body).await?;
    ok(Changed { seq })
}

async fn delete_message(call: Call<DeleteMessage>) -> Answer<Changed> {
    let (room, message) = (call.path.id("room")?, call.path.id("message")?);
    let seq = delete(&call.state, sender(&call)?, room, message).await?;
    ok(Changed { seq })
}

async fn put_reaction(call: Call<PutReaction>) -> Answer<Changed> {
    let (room, message) = (call.path.id("room")?, call.path.id("message")?);
    let seq = react(
        &call.state,
        sender(&call)?,
        room,
        message,
        call.body.clone(),
    )
    .await?;
    ok(Changed { seq })
}

async fn pin_message(call: Call<PutPin>) -> Answer<Changed> {
    let (room, message) = (call.path.id("room")?, call.path.id("message")?);
    let seq = pin(&call.state, sender(&call)?, room, message, call.body.on).await?;
    ok(Changed { seq })
}
