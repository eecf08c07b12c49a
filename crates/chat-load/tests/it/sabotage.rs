//! The audit against servers that break their promises: a middleman between the clients and the real
//! service does what a faulty server would. Without it each of these tests would pass on a checker
//! that finds nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use chat_load::audit::Kind;
use chat_load::{Control, Load, Report, Scenario, Server, Verdict, run};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{accept_hdr_async, connect_async};
use uuid::Uuid;

use crate::server::Process;

/// Every so manieth document that can be tampered with is.
const EVERY: u64 = 12;
/// So many messages last connections that are cut.
const LASTS: u64 = 30;

/// What the middleman does to some of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    Nothing,
    /// An event is left out.
    Swallow,
    /// An event comes twice.
    Repeat,
    /// An event says something else.
    Alter,
    /// A message is acknowledged and never stored.
    AcknowledgeOnly,
    /// A message is stored a second time, under an id that its author did not make.
    StoreAgain,
    /// A message is stored with another text.
    StoreOtherwise,
    /// An acknowledgement names another number.
    Misnumber,
    /// Connections are cut, and a resume leaves a row out.
    LeaveOutOfResume,
    /// An event is left out, and the page that would repair it leaves a row out.
    LeaveOutOfPage,
    /// From some event on a room's events come no more, and no ping tells.
    LoseTheTail,
}

/// What the middleman did to one connection.
#[derive(Default)]
struct Connection {
    /// New messages that the server told of.
    messages: u64,
    /// Whether its tail is being lost.
    lost: bool,
}

struct Middleman {
    server: SocketAddr,
    sabotage: Sabotage,
    documents: AtomicU64,
}

impl Middleman {
    /// Listens in front of the server.
    async fn start(server: SocketAddr, sabotage: Sabotage) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let middleman = Arc::new(Self {
            server,
            sabotage,
            documents: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let middleman = Arc::clone(&middleman);
                tokio::spawn(async move { middleman.carry(socket).await });
            }
        });
        address
    }

    /// A socket is read document by document; plain HTTP passes as it is.
    async fn carry(&self, mut client: TcpStream) {
        let mut start = [0; 11];
        while client.peek(&mut start).await.unwrap_or(start.len()) < start.len() {}
        if &start == b"GET /v1/ws " {
            return self.carry_socket(client).await;
        }
        let mut server = TcpStream::connect(self.server).await.unwrap();
        // Either side may go first.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }

    async fn carry_socket(&self, client: TcpStream) {
        #[expect(clippy::result_large_err, reason = "the signature that is asked for")]
        let agree = |_: &Request, mut response: Response| {
            let protocol = HeaderValue::from_static("chat.v1.json");
            response
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let Ok(client) = accept_hdr_async(client, agree).await else {
            return;
        };
        let mut request = format!("ws://{}/v1/ws", self.server)
            .into_client_request()
            .unwrap();
        let protocol = HeaderValue::from_static("chat.v1.json");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let Ok((server, _)) = connect_async(request).await else {
            return;
        };
        let (mut to_client, mut from_client) = client.split();
        let (mut to_server, mut from_server) = server.split();
        let mut state = Connection::default();
        while state.messages < LASTS || self.sabotage != Sabotage::LeaveOutOfResume {
            let (up, down) = tokio::select! {
                message = from_client.next() => {
                    let Some(Ok(Message::Text(text))) = message else { return };
                    Self::tamper(&text, |document| self.to_server(document))
                }
                message = from_server.next() => {
                    let Some(Ok(Message::Text(text))) = message else { return };
                    Self::tamper(&text, |document| (vec![], self.to_client(document, &mut state)))
                }
            };
            for (documents, is_up) in [(up, true), (down, false)] {
                if documents.is_empty() {
                    continue;
                }
                let message = Message::text(documents.join("\n"));
                let sent = if is_up {
                    to_server.send(message).await
                } else {
                    to_client.send(message).await
                };
                if sent.is_err() {
                    return;
                }
            }
        }
    }

    fn tamper(
        frame: &str,
        mut of: impl FnMut(Value) -> (Vec<Value>, Vec<Value>),
    ) -> (Vec<String>, Vec<String>) {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for document in frame.split('\n') {
            let (to_server, to_client) = of(serde_json::from_str(document).unwrap());
            up.extend(to_server.iter().map(Value::to_string));
            down.extend(to_client.iter().map(Value::to_string));
        }
        (up, down)
    }

    fn is_due(&self) -> bool {
        self.documents.fetch_add(1, Relaxed) % EVERY == EVERY - 1
    }

    fn to_server(&self, mut document: Value) -> (Vec<Value>, Vec<Value>) {
        if document["t"] != "send" {
            return (vec![document], vec![]);
        }
        match self.sabotage {
            Sabotage::AcknowledgeOnly if self.is_due() => {
                let sent = json!({
                    "id": Uuid::from_u128(1), "seq": 1, "number": 1_000_000, "at": 1
                });
                let ok = json!({"t": "ok", "id": document["id"], "seq": 1, "sent": sent});
                (vec![], vec![ok])
            }
            Sabotage::StoreAgain if self.is_due() => {
                let mut again = document.clone();
                again["client_id"] = json!(Uuid::from_u128(self.documents.load(Relaxed).into()));
                again["id"] = json!(1_000_000);
                (vec![document, again], vec![])
            }
            Sabotage::StoreOtherwise if self.is_due() => {
                document["body"] = json!("something else");
                (vec![document], vec![])
            }
            _ => (vec![document], vec![]),
        }
    }

    fn to_client(&self, mut document: Value, state: &mut Connection) -> Vec<Value> {
        let is_message = document["t"] == "ev" && document["change"]["kind"] == "message";
        state.messages += u64::from(is_message);
        match self.sabotage {
            Sabotage::LeaveOutOfResume if document["t"] == "subbed" => {
                leave_one_out(&mut document["changes"]);
                vec![document]
            }
            Sabotage::LeaveOutOfPage if document["t"] == "page" => {
                leave_one_out(&mut document["changes"]);
                vec![document]
            }
            Sabotage::Swallow | Sabotage::LeaveOutOfPage if is_message && self.is_due() => vec![],
            Sabotage::Repeat if is_message && self.is_due() => vec![document.clone(), document],
            Sabotage::Alter if is_message && self.is_due() => {
                document["change"]["message"]["content"]["body"] = json!("something else");
                vec![document]
            }
            Sabotage::Misnumber if document.get("sent").is_some() && self.is_due() => {
                document["sent"]["number"] = json!(1_000_000);
                vec![document]
            }
            Sabotage::LoseTheTail if is_message => {
                state.lost |= self.is_due();
                if state.lost { vec![] } else { vec![document] }
            }
            Sabotage::LoseTheTail if document["t"] == "ping" => {
                vec![json!({"t": "ping"})]
            }
            _ => vec![document],
        }
    }
}

/// Takes the first of what was missed away.
fn leave_one_out(changes: &mut Value) {
    match changes {
        Value::Array(changes) if !changes.is_empty() => drop(changes.remove(0)),
        _ => *changes = json!([]),
    }
}

/// A short run through the middleman.
async fn report_of(sabotage: Sabotage) -> Report {
    let server = Process::start().await;
    let address = Middleman::start(server.server().address(), sabotage).await;
    let scenario = Scenario {
        servers: vec![Server::at(address)],
        read_from: vec![server.server()],
        clients: 4,
        readers: 2,
        load: Load::Rate {
            senders: 3,
            per_second: 60,
        },
        time: Duration::from_millis(1_500),
        converge_within: Duration::from_secs(2),
        ..Scenario::default()
    };
    run(scenario, Control::default()).await.unwrap()
}

async fn is_convicted_of(sabotage: Sabotage, kinds: &[Kind]) {
    let report = report_of(sabotage).await;
    assert_eq!(
        report.verdict(),
        Verdict::Violated,
        "{sabotage:?}: {report}"
    );
    for kind in kinds {
        assert!(
            report.counts().contains_key(kind),
            "{sabotage:?}: no {kind} in {report}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_middleman_is_not_convicted() {
    let report = report_of(Sabotage::Nothing).await;
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_left_out_is_noticed_although_clients_repair_it() {
    is_convicted_of(Sabotage::Swallow, &[Kind::Gap]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_is_noticed_although_clients_show_it_once() {
    is_convicted_of(Sabotage::Repeat, &[Kind::DeliveredTwice]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_says_something_else_is_noticed_on_the_wire_and_on_the_screen() {
    is_convicted_of(Sabotage::Alter, &[Kind::DeliveredCorrupt, Kind::Divergent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_only_acknowledged_is_lost() {
    is_convicted_of(Sabotage::AcknowledgeOnly, &[Kind::Lost]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_stored_again_under_another_id_is_a_phantom() {
    is_convicted_of(
        Sabotage::StoreAgain,
        &[Kind::Phantom, Kind::DeliveredPhantom],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_stored_with_another_text_is_corrupt() {
    is_convicted_of(
        Sabotage::StoreOtherwise,
        &[Kind::Corrupt, Kind::DeliveredCorrupt],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_with_another_number_disagrees() {
    is_convicted_of(Sabotage::Misnumber, &[Kind::AckDisagrees]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_resume_leaves_out_is_noticed() {
    is_convicted_of(Sabotage::LeaveOutOfResume, &[Kind::Incomplete]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_page_leaves_out_is_noticed() {
    is_convicted_of(Sabotage::LeaveOutOfPage, &[Kind::Incomplete]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_never_comes_is_noticed() {
    let report = report_of(Sabotage::LoseTheTail).await;
    assert_eq!(report.verdict(), Verdict::Violated, "{report}");
    assert_eq!(report.converged_ms, None, "{report}");
    assert!(report.counts().contains_key(&Kind::Behind), "{report}");
    assert!(!report.moving, "{report}");
}
