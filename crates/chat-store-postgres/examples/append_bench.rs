//! Compares the store with a server that inserts one row for each message in a transaction of its own:
//! on one private PostgreSQL with `fsync`, the same tables and as many connections, by turns. Then two
//! nodes with one node, where everybody writes in the same room.
//!
//! `cargo run --release -p chat-store-postgres --example append_bench`

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_store::{Messages, NewAccount, NewGuest, NewMessage, NewRoom, Rooms, Store, Users};
use chat_store_postgres::{PostgresStore, Settings};
use chat_testbed::{Durability, Postgres};
use chat_types::id::{ClientId, Epoch, MessageId, RoomId, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::{MessageBody, Nickname, RoomName, TextReason, Username};
use chat_types::time::Timestamp;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long each measurement takes.
const DURATION: Duration = Duration::from_secs(5);
/// Measurements of each server.
const TURNS: usize = 3;
const ROOMS: usize = 100;
const IN_FLIGHT: usize = 512;

const NEXT: &str = "\
UPDATE rooms SET head = head + 1, last_number = last_number + 1, last_at = $2, active_at = $2
WHERE id = $1 RETURNING head, last_number";

const INSERT: &str = "\
INSERT INTO messages (id, room, number, seq, created_seq, author, client_id, body, sent_at)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8)";

/// Ways to append a message and wait until it is durable.
#[derive(Clone)]
enum Server {
    Store(Arc<PostgresStore>),
    /// Two nodes, one of which the sender is at.
    Nodes([Arc<PostgresStore>; 2]),
    RowByRow(PgPool),
}

impl Server {
    async fn append(&self, new: NewMessage) -> Result<(), Failure> {
        match self {
            Self::Store(store) => store.append(new).await.map(drop)?,
            Self::Nodes(nodes) => {
                let at = usize::from(new.author.as_uuid().as_bytes()[0] % 2);
                nodes[at].append(new).await.map(drop)?;
            }
            Self::RowByRow(pool) => insert_row(pool, new).await?,
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Store(_) => "the store",
            Self::Nodes(_) => "two nodes",
            Self::RowByRow(_) => "row by row",
        }
    }
}

async fn insert_row(pool: &PgPool, new: NewMessage) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let (head, number): (i64, i64) = sqlx::query_as(NEXT)
        .bind(*new.room.as_uuid())
        .bind(1_i64)
        .fetch_one(&mut *transaction)
        .await?;
    sqlx::query(INSERT)
        .bind(*new.id.as_uuid())
        .bind(*new.room.as_uuid())
        .bind(number)
        .bind(head)
        .bind(*new.author.as_uuid())
        .bind(*new.client_id.as_uuid())
        .bind(new.body.as_str())
        .bind(1_i64)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
async fn main() -> Result<(), Failure> {
    let server = Postgres::start(Durability::Durable)?;
    let url = server.create_database("bench")?;
    let settings = Settings::of(&url);
    let store = Arc::new(PostgresStore::open(&settings).await?);
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(Duration::from_mins(1))
        .test_before_acquire(false)
        .connect(&url)
        .await?;
    let places = make_places(&store).await?;
    let servers = [Server::Store(store.clone()), Server::RowByRow(pool)];
    println!("{IN_FLIGHT} in flight over {ROOMS} rooms");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(measure(&servers[0], &places).await?);
        theirs.push(measure(&servers[1], &places).await?);
    }
    println!("  {:.1} times the rate", middle(ours) / middle(theirs));
    println!("one sender alone, messages to the one and to the other by turns");
    alternate(&servers, places[0]).await?;
    compare_nodes(&store, &settings, &places).await?;
    store.close().await;
    Ok(())
}

/// Everybody in the room of the first: at one node, and half of them at each of two.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
async fn compare_nodes(
    store: &Arc<PostgresStore>,
    settings: &Settings,
    places: &[(RoomId, UserId)],
) -> Result<(), Failure> {
    let room = places[0].0;
    let hot: Vec<_> = places.iter().map(|(_, user)| (room, *user)).collect();
    for place in &hot {
        store.append(message(*place)?).await?;
    }
    let other = Arc::new(PostgresStore::open(settings).await?);
    let one = Server::Store(store.clone());
    let two = Server::Nodes([store.clone(), other.clone()]);
    println!("{IN_FLIGHT} in flight in one room");
    let (mut at_one, mut at_two) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        at_one.push(measure(&one, &hot).await?);
        at_two.push(measure(&two, &hot).await?);
    }
    println!("  {:.2} times the rate", middle(at_two) / middle(at_one));
    other.close().await;
    Ok(())
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Messages per second of many senders at once.
async fn measure(server: &Server, places: &[(RoomId, UserId)]) -> Result<f64, Failure> {
    let end = Instant::now() + DURATION;
    let tasks: Vec<_> = places
        .iter()
        .map(|place| tokio::spawn(send_until(end, server.clone(), *place)))
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let per_second = f64::from(u32::try_from(waits.len())?) / DURATION.as_secs_f64();
    print(server, per_second, waits);
    Ok(per_second)
}

/// Message by message, so that both meet the same disk and the same neighbours.
async fn alternate(servers: &[Server; 2], place: (RoomId, UserId)) -> Result<(), Failure> {
    let end = Instant::now() + 2 * DURATION;
    let mut waits = [Vec::new(), Vec::new()];
    while Instant::now() < end {
        for (server, waits) in servers.iter().zip(&mut waits) {
            let begin = Instant::now();
            server.append(message(place)?).await?;
            waits.push(begin.elapsed());
        }
    }
    for (server, waits) in servers.iter().zip(waits) {
        let total: Duration = waits.iter().sum();
        let per_second = f64::from(u32::try_from(waits.len())?) / total.as_secs_f64();
        print(server, per_second, waits);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn print(server: &Server, per_second: f64, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    println!(
        "  {:<10} {per_second:>7.0} messages/s, wait {:?} median, {:?} p99",
        server.name(),
        at(50),
        at(99)
    );
}

async fn send_until(
    end: Instant,
    server: Server,
    place: (RoomId, UserId),
) -> Result<Vec<Duration>, Failure> {
    let mut waits = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        server.append(message(place)?).await?;
        waits.push(begin.elapsed());
    }
    Ok(waits)
}

fn message((room, author): (RoomId, UserId)) -> Result<NewMessage, Failure> {
    Ok(NewMessage {
        id: MessageId::from_uuid(Uuid::now_v7()),
        room,
        author,
        client_id: ClientId::from_uuid(Uuid::now_v7()),
        body: parsed(MessageBody::parse(
            "A message of about the usual length, I think.",
        ))?,
        reply_to: None,
        joins_as: Role::Guest,
        at: Timestamp(1),
    })
}

/// A room and a member of it for each sender.
async fn make_places(store: &PostgresStore) -> Result<Vec<(RoomId, UserId)>, Failure> {
    let account = NewAccount {
        id: UserId::from_uuid(Uuid::new_v4()),
        username: parsed(Username::parse("mina"))?,
        names: vec![parsed(Nickname::parse("mina"))?],
        password_hash: String::new(),
        at: Timestamp(1),
    };
    let owner = store.create_account(account).await?.id;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        let room = NewRoom {
            id: RoomId::from_uuid(Uuid::new_v4()),
            kind: RoomKind::Public,
            name: Some(parsed(RoomName::parse("Lobby"))?),
            topic: None,
            epoch: Epoch("first".to_owned()),
            at: Timestamp(1),
        };
        rooms.push(store.create_room(room, owner).await?.room.id);
    }
    let mut places = Vec::new();
    for n in 0..IN_FLIGHT {
        let guest = NewGuest {
            id: UserId::from_uuid(Uuid::new_v4()),
            names: vec![parsed(Nickname::parse(&nth_name(n)))?],
            at: Timestamp(1),
        };
        let place = (rooms[n % ROOMS], store.create_guest(guest).await?.id);
        store.append(message(place)?).await?;
        places.push(place);
    }
    Ok(places)
}

/// A name for each of many guests; no two look alike.
fn nth_name(n: usize) -> String {
    let letter = |power: u32| char::from(b"abcdefgh"[n / 8_usize.pow(power) % 8]);
    [letter(3), letter(2), letter(1), letter(0)]
        .iter()
        .collect()
}

fn parsed<T>(text: Result<T, TextReason>) -> Result<T, Failure> {
    text.map_err(|reason| reason.name().into())
}
