//! What has to hold, on the way and at the end.

use std::collections::BTreeSet;

use chat_client::{ConnectionState, PendingState, RoomStatus, RoomView, RowKey, RowState};
use chat_types::event::Message;
use chat_types::id::{ClientId, Number, RoomId};

use crate::actor::Actor;
use crate::store::epoch;
use crate::world::{Violation, World};

/// Attempts to connect or refresh within ten seconds that are still no loop.
const ATTEMPTS: usize = 40;

fn object(text: String) -> Result<(), Violation> {
    Err(Violation(text))
}

/// After each input.
pub(crate) fn on_the_way(world: &mut World, at: usize) -> Result<(), Violation> {
    no_loop(world, at)?;
    for room in world.rooms.clone() {
        if world.actors[at].client.room(room).is_none() {
            continue;
        }
        cursor_never_goes_back(&mut world.actors[at], room)?;
        no_row_twice(&world.actors[at], room)?;
        window_is_whole(world, at, room)?;
        sent_rows_stay(&mut world.actors[at], room, &world.lost)?;
    }
    Ok(())
}

fn no_loop(world: &mut World, at: usize) -> Result<(), Violation> {
    let since = world.now.saturating_sub(10_000);
    let attempts = &mut world.actors[at].attempts;
    attempts.retain(|at| *at >= since);
    if attempts.len() > ATTEMPTS {
        return object(format!(
            "client {at} tries {} times in 10 s",
            attempts.len()
        ));
    }
    Ok(())
}

fn cursor_never_goes_back(actor: &mut Actor, room: RoomId) -> Result<(), Violation> {
    let Some(view) = actor.client.room(room) else {
        return Ok(());
    };
    let now = (view.epoch().cloned(), view.cursor());
    if let Some((epoch, cursor)) = actor.cursors.get(&room)
        && *epoch == now.0
        && now.1.is_some()
        && *cursor > now.1
    {
        return object(format!(
            "the cursor went back from {cursor:?} to {:?}",
            now.1
        ));
    }
    actor.cursors.insert(room, now);
    Ok(())
}

fn no_row_twice(actor: &Actor, room: RoomId) -> Result<(), Violation> {
    let Some(view) = actor.client.room(room) else {
        return Ok(());
    };
    let mut keys = BTreeSet::new();
    for row in view.rows() {
        if !keys.insert(row.key()) {
            return object(format!("{:?} is shown twice", row.key()));
        }
    }
    Ok(())
}

/// While nothing is being repaired, the window is consecutive and reaches to the newest message
/// that the cursor has passed.
fn window_is_whole(world: &World, at: usize, room: RoomId) -> Result<(), Violation> {
    let Some(view) = world.actors[at].client.room(room) else {
        return Ok(());
    };
    let model = &world.server.store.rooms[&room];
    if view.status() != RoomStatus::Live || view.epoch() != Some(&epoch(model.epoch)) {
        return Ok(());
    }
    let numbers = held(view);
    let mut pairs = numbers.iter().zip(numbers.iter().skip(1));
    if let Some((before, after)) = pairs.find(|(before, after)| **after != **before + 1) {
        return object(format!("client {at} shows {after} right after {before}"));
    }
    let cursor = view.cursor().map_or(0, |cursor| cursor.0);
    let passed = model.rows.iter().filter(|row| row.created <= cursor);
    let newest = passed.map(|row| row.number).max().unwrap_or(0);
    let last = numbers.last().copied().unwrap_or(0);
    let empty = numbers.is_empty() && view.more_before();
    if last < newest && !view.more_after() && !empty {
        return object(format!(
            "client {at} has applied {cursor} and shows up to {last}, not {newest}"
        ));
    }
    Ok(())
}

fn held(view: RoomView<'_>) -> Vec<u64> {
    view.accepted(Number(0))
        .filter_map(|row| row.number())
        .map(|number| number.0)
        .collect()
}

/// A message that was shown as sent is shown until it scrolls out of what is held.
fn sent_rows_stay(
    actor: &mut Actor,
    room: RoomId,
    without: &BTreeSet<ClientId>,
) -> Result<(), Violation> {
    let Some(view) = actor.client.room(room) else {
        return Ok(());
    };
    let numbers = held(view);
    let seen = actor.shown.iter().filter(|((of, _), _)| *of == room);
    for ((_, client_id), number) in seen {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        let outside = number < first || (number > last && view.more_after());
        if view.row(RowKey::Own(*client_id)).is_none() && !outside {
            return object(format!("{client_id} was shown as sent and is gone"));
        }
    }
    let own = view.rows().filter(|row| row.state() == RowState::Sent);
    let sent: Vec<_> = own
        .filter_map(|row| match (row.key(), row.number()) {
            (RowKey::Own(client_id), Some(number)) if !without.contains(&client_id) => {
                Some((client_id, number.0))
            }
            _ => None,
        })
        .collect();
    for (client_id, number) in sent {
        actor.shown.insert((room, client_id), number);
    }
    Ok(())
}

/// When everything has worked for a while.
pub(crate) fn at_the_end(world: &World) -> Result<(), Violation> {
    for (at, actor) in world.actors.iter().enumerate() {
        if actor.client.connection() != &ConnectionState::Online {
            let state = actor.client.connection();
            return object(format!("client {at} ends as {state:?}"));
        }
        for room in &world.rooms {
            shows_a_fresh_load(world, at, *room)?;
        }
        everything_given_arrived(world, at)?;
    }
    nothing_came_from_nowhere(world)?;
    everybody_is_in_the_order_of_their_writing(world)
}

/// The messages of one author in one room stand in the order in which they were written. The
/// simulation counts its client ids up. A replica that stood still may carry out later what its author
/// gave up meanwhile, or what a restored backup lacks: those have no place among the others.
fn everybody_is_in_the_order_of_their_writing(world: &World) -> Result<(), Violation> {
    for model in world.server.store.rooms.values() {
        for actor in &world.actors {
            let own = model.rows.iter().filter(|row| row.author == actor.id());
            let own = own.map(|row| row.client_id);
            let in_turn = |id: &ClientId| {
                let given = actor.given.get(id);
                given.is_some_and(|given| !may_be_missing(world, *id, given.discarded))
            };
            let written: Vec<ClientId> = own.filter(in_turn).collect();
            if !written.is_sorted() {
                let name = &actor.user.name;
                return object(format!("{name} wrote in another order than {written:?}"));
            }
        }
    }
    Ok(())
}

fn shows_a_fresh_load(world: &World, at: usize, room: RoomId) -> Result<(), Violation> {
    let actor = &world.actors[at];
    let store = &world.server.store;
    let model = &store.rooms[&room];
    let Some(view) = actor.client.room(room) else {
        return object(format!("client {at} does not follow {room}"));
    };
    if view.status() != RoomStatus::Live {
        return object(format!("client {at} ends with {:?}", view.status()));
    }
    if view.cursor().map(|cursor| cursor.0) != Some(model.head) {
        let (cursor, head) = (view.cursor(), model.head);
        return object(format!(
            "client {at} ends at {cursor:?}, the head is {head}"
        ));
    }
    let numbers = held(view);
    let newest = model.rows.len() as u64;
    let first = numbers.first().copied().unwrap_or(newest + 1);
    let last = numbers.last().copied().unwrap_or(newest);
    if view.more_before() != (first > 1) || (view.more_after() != (last < newest)) {
        return object(format!(
            "client {at} holds {first} to {last} of {newest}, before {}, after {}",
            view.more_before(),
            view.more_after()
        ));
    }
    let fresh = store.messages(room, first, last, Some(actor.id()));
    let shown: Vec<Message> = numbers
        .iter()
        .filter_map(|number| view.accepted(Number(*number)).next())
        .filter_map(|row| view.message(row.message_id()?))
        .cloned()
        .collect();
    for (shown, fresh) in shown.iter().zip(&fresh) {
        let mut shown = shown.clone();
        // A preview does not say whose message it is: the name is only kept right while that
        // message is held.
        if let (Some(shown), Some(fresh)) = (&mut shown.reply_to, &fresh.reply_to)
            && view.message(shown.id).is_none()
        {
            shown.author.clone_from(&fresh.author);
        }
        if shown != *fresh {
            return object(format!(
                "client {at} shows {shown:?}, a fresh load {fresh:?}"
            ));
        }
    }
    if shown.len() != fresh.len() {
        return object(format!(
            "client {at} shows {} of {}",
            shown.len(),
            fresh.len()
        ));
    }
    if *view.members() != store.members(room) {
        let (shown, fresh) = (view.members(), store.members(room));
        return object(format!(
            "client {at} lists {shown:?}, a fresh load {fresh:?}"
        ));
    }
    if view.me() != store.member(room, actor.id()).as_ref() || view.room() != Some(&model.room) {
        return object(format!("client {at} shows another membership or topic"));
    }
    Ok(())
}

/// Each message is in the room exactly once, or was refused for good, or given up by a person.
fn everything_given_arrived(world: &World, at: usize) -> Result<(), Violation> {
    let actor = &world.actors[at];
    for (client_id, given) in &actor.given {
        let rows = &world.server.store.rooms[&given.room].rows;
        let stored = rows
            .iter()
            .filter(|row| row.author == actor.id() && row.client_id == *client_id)
            .count();
        let pending = actor.client.outbox();
        let pending = pending.iter().find(|item| item.client_id == *client_id);
        let right = match pending.map(|pending| pending.state) {
            Some(PendingState::Failed { .. }) => given.hopeless && stored == 0,
            Some(_) => false,
            None => stored == 1 || may_be_missing(world, *client_id, given.discarded),
        };
        if !right || stored > 1 {
            let state = pending.map(|pending| pending.state);
            return object(format!(
                "client {at} gave {client_id}: stored {stored} times, waiting as {state:?}"
            ));
        }
    }
    Ok(())
}

fn may_be_missing(world: &World, client_id: ClientId, discarded: bool) -> bool {
    discarded || world.lost.contains(&client_id)
}

fn nothing_came_from_nowhere(world: &World) -> Result<(), Violation> {
    for model in world.server.store.rooms.values() {
        for row in &model.rows {
            let writer = world.actors.iter().find(|actor| actor.id() == row.author);
            if !writer.is_some_and(|writer| writer.given.contains_key(&row.client_id)) {
                return object(format!("message {} was written by nobody", row.number));
            }
        }
    }
    Ok(())
}
