//! Rooms, members and invites over HTTP.

use chat_store::ListCursor;
use chat_types::account::Empty;
use chat_types::endpoint::{
    GetRoom, JoinRoom, LeaveRoom, ListMembers, ListPublicRooms, ListRooms, NewInvite, NewRoom,
    OpenDirectRoom, OpenPageRoom, PatchRoom, UseInvite,
};
use chat_types::id::Number;
use chat_types::limits::{MEMBERS_PAGE, ROOMS_PAGE};
use chat_types::room::{Invite, ListQuery, MemberPage, RoomPage, RoomSummary};

use super::{create, invite, may_read, member, summary, update};
use crate::api::{Answer, Api, Call, created, ok, page_size};

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<ListRooms, _, _>(list_rooms)
        .route::<ListPublicRooms, _, _>(list_public_rooms)
        .route::<NewRoom, _, _>(create_room)
        .route::<OpenPageRoom, _, _>(open_page)
        .route::<OpenDirectRoom, _, _>(open_direct)
        .route::<GetRoom, _, _>(get_room)
        .route::<PatchRoom, _, _>(update_room)
        .route::<JoinRoom, _, _>(join_room)
        .route::<LeaveRoom, _, _>(leave_room)
        .route::<ListMembers, _, _>(list_members)
        .route::<NewInvite, _, _>(create_invite)
        .route::<UseInvite, _, _>(accept_invite)
}

async fn list_rooms(call: Call<ListRooms>) -> Answer<RoomPage> {
    call.limit_reads()?;
    let limit = page_size(call.query.limit, ROOMS_PAGE)?;
    let user = call.caller()?.user.id;
    let list = call
        .state
        .store
        .rooms_of(user, cursor(&call.query), limit)
        .await?;
    ok(room_page(list))
}

async fn list_public_rooms(call: Call<ListPublicRooms>) -> Answer<RoomPage> {
    call.limit_reads()?;
    let limit = page_size(call.query.limit, ROOMS_PAGE)?;
    let viewer = call.viewer();
    let list = call
        .state
        .store
        .public_rooms(viewer, cursor(&call.query), limit)
        .await?;
    let mut page = room_page(list);
    // Rooms in which nobody has spoken come last on their page, newest made or not.
    page.rooms.sort_by_key(|it| it.last_number == Number(0));
    ok(page)
}

fn cursor(query: &ListQuery) -> Option<ListCursor> {
    query.cursor.clone().map(ListCursor)
}

fn room_page(list: chat_store::RoomList) -> RoomPage {
    RoomPage {
        rooms: list.rooms,
        next: list.next.map(|cursor| cursor.0),
    }
}

async fn create_room(call: Call<NewRoom>) -> Answer<RoomSummary> {
    let caller = call.caller()?.clone();
    created(create::create(&call.state, &call.client, &caller, call.body).await?)
}

async fn open_page(call: Call<OpenPageRoom>) -> Answer<RoomSummary> {
    let viewer = call.viewer();
    ok(create::open_page(&call.state, &call.client, viewer, call.body).await?)
}

async fn open_direct(call: Call<OpenDirectRoom>) -> Answer<RoomSummary> {
    let caller = call.caller()?.clone();
    ok(create::open_direct(&call.state, &caller, call.body).await?)
}

async fn get_room(call: Call<GetRoom>) -> Answer<RoomSummary> {
    call.limit_reads()?;
    let room = call.path.id("room")?;
    may_read(&call.state, call.visitor.as_ref(), room).await?;
    ok(summary(&call.state, call.viewer(), room).await?)
}

async fn update_room(call: Call<PatchRoom>) -> Answer<RoomSummary> {
    let room = call.path.id("room")?;
    let caller = call.caller()?.clone();
    ok(update(&call.state, &caller, room, call.body).await?)
}

async fn join_room(call: Call<JoinRoom>) -> Answer<RoomSummary> {
    ok(member::join(&call.state, call.caller()?, call.path.id("room")?).await?)
}

async fn leave_room(call: Call<LeaveRoom>) -> Answer<Empty> {
    member::leave(&call.state, call.caller()?, call.path.id("room")?).await?;
    ok(Empty {})
}

async fn list_members(call: Call<ListMembers>) -> Answer<MemberPage> {
    call.limit_reads()?;
    let room = call.path.id("room")?;
    let limit = page_size(call.query.limit, MEMBERS_PAGE)?;
    may_read(&call.state, call.visitor.as_ref(), room).await?;
    let list = call
        .state
        .store
        .members(room, cursor(&call.query), limit)
        .await?;
    ok(MemberPage {
        members: list.members,
        next: list.next.map(|cursor| cursor.0),
    })
}

async fn create_invite(call: Call<NewInvite>) -> Answer<Invite> {
    let room = call.path.id("room")?;
    let caller = call.caller()?.clone();
    created(invite::create(&call.state, &caller, room, call.body).await?)
}

async fn accept_invite(call: Call<UseInvite>) -> Answer<RoomSummary> {
    let caller = call.caller()?.clone();
    ok(invite::accept(&call.state, &caller, call.body).await?)
}
