//! What the store has, asked from outside: by readers who come afresh, over HTTP and over a socket,
//! from every server.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use chat_types::account::Empty;
use chat_types::decode;
use chat_types::endpoint::GetHistory;
use chat_types::frame;
use chat_types::id::{Number, RequestId, RoomId, Seq};
use chat_types::limits::{HISTORY_PAGE, TAIL};
use chat_types::room::HistoryQuery;
use chat_types::ws::{Command, ServerDoc, Subbed};

use crate::audit::Reading;
use crate::history::Row;
use crate::measure::Shared;
use crate::raw::{Raw, next_text, say};
use crate::rng::Rng;
use crate::server::{Account, Api, ApiError, PATIENCE, Server};

/// Everything that fresh readers are given.
pub(crate) async fn read(
    api: &Api,
    servers: &[Server],
    rooms: &[RoomId],
    shared: &Arc<Shared>,
) -> Result<Vec<Reading>, ApiError> {
    let mut readings = Vec::new();
    for server in servers {
        for room in rooms {
            readings.push(over_http(api, server, *room).await?);
        }
        let read = over_a_socket(api, server, rooms, shared);
        let read = tokio::time::timeout(PATIENCE, read).await;
        let read = read.map_err(|_| ApiError::Unreachable("a fresh socket".to_owned()))?;
        readings.extend(read?);
    }
    Ok(readings)
}

/// The newest place of each room, by every server: the greatest.
pub(crate) async fn heads(
    api: &Api,
    servers: &[Server],
    rooms: &[RoomId],
) -> Result<HashMap<RoomId, Seq>, ApiError> {
    let mut heads = HashMap::new();
    let query = HistoryQuery {
        limit: Some(1),
        ..HistoryQuery::default()
    };
    for server in servers {
        for room in rooms {
            let path = [("room", room.to_string())];
            let page = api
                .call_patiently::<GetHistory>(server, &path, &query, &Empty {})
                .await?;
            let head = heads.entry(*room).or_insert(page.head);
            *head = page.head.max(*head);
        }
    }
    Ok(heads)
}

async fn over_http(api: &Api, server: &Server, room: RoomId) -> Result<Reading, ApiError> {
    let path = [("room", room.to_string())];
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let query = HistoryQuery {
            after: Some(rows.last().map_or(Number(0), |row| row.number)),
            limit: Some(HISTORY_PAGE),
            ..HistoryQuery::default()
        };
        let page = api
            .call_patiently::<GetHistory>(server, &path, &query, &Empty {})
            .await?;
        rows.extend(page.messages.iter().map(Row::of));
        if !page.more_after || page.messages.is_empty() {
            return Ok(Reading {
                source: format!("{} over HTTP", server.authority()),
                room,
                epoch: page.epoch,
                head: page.head,
                rows,
                whole: true,
            });
        }
    }
}

async fn over_a_socket(
    api: &Api,
    server: &Server,
    rooms: &[RoomId],
    shared: &Arc<Shared>,
) -> Result<Vec<Reading>, ApiError> {
    let clock = shared.clock;
    let account = Account::join(api, server, clock, "fresh reader".to_owned()).await?;
    let servers: Arc<[Server]> = Arc::new([server.clone()]);
    let rng = Rng::new(clock.now_us());
    let mut raw = Raw::new(account, servers, api.clone(), None, rng, Arc::clone(shared));
    let mut socket = raw.connect().await;
    let mut readings = Vec::new();
    for (room, id) in rooms.iter().zip(2..) {
        let id = RequestId(id);
        let sub = Command::Sub {
            id,
            room: *room,
            epoch: None,
            since: None,
            tail: TAIL,
        };
        let unsub = Command::Unsub { id, room: *room };
        let subbed = async {
            say(&mut socket, &sub).await?;
            let subbed = answer(&mut socket, id).await?;
            say(&mut socket, &unsub).await?;
            io::Result::Ok(subbed)
        };
        let subbed = subbed.await;
        let subbed = subbed.map_err(|error| ApiError::Unreachable(error.to_string()))?;
        readings.push(Reading {
            source: format!("{} over a fresh socket", server.authority()),
            room: *room,
            epoch: subbed.epoch,
            head: subbed.head,
            rows: subbed.messages.iter().map(Row::of).collect(),
            whole: false,
        });
    }
    Ok(readings)
}

async fn answer(socket: &mut crate::server::Socket, id: RequestId) -> io::Result<Subbed> {
    loop {
        let text = next_text(socket).await?;
        for document in frame::split(&text).map_err(io::Error::other)? {
            match decode::from_text(document) {
                Some(ServerDoc::Subbed(subbed)) if subbed.id == id => return Ok(*subbed),
                Some(ServerDoc::Err(error)) => return Err(io::Error::other(error.message)),
                _ => {}
            }
        }
    }
}
