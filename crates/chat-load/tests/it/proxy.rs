//! The bad network over loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chat_load::proxy::{Network, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server that answers every byte with itself.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn through(network: Network, seed: u64) -> (Proxy, TcpStream) {
    let proxy = Proxy::start(LOOPBACK, echo().await, network, seed)
        .await
        .unwrap();
    let socket = TcpStream::connect(proxy.address()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    (proxy, socket)
}

/// Sends bytes one request at a time until the connection ends; returns how many came back.
async fn echoed_until_the_end(socket: &mut TcpStream) -> usize {
    let mut came = 0;
    loop {
        let request = [u8::try_from(came % 251).unwrap(); 100];
        if socket.write_all(&request).await.is_err() {
            return came;
        }
        let mut answer = [0; 100];
        let mut read = 0;
        while read < answer.len() {
            match socket.read(&mut answer[read..]).await {
                Ok(n @ 1..) => {
                    assert!(
                        answer[read..read + n]
                            .iter()
                            .all(|byte| *byte == request[0])
                    );
                    read += n;
                }
                Ok(0) | Err(_) => return came + read,
            }
        }
        came += 100;
    }
}

#[tokio::test]
async fn what_passes_is_what_was_sent_also_byte_by_byte() {
    for chunk in [0, 1, 7] {
        let network = Network {
            chunk,
            ..Network::CLEAR
        };
        let (proxy, mut socket) = through(network, 1).await;
        let sent: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut from, mut to) = socket.split();
        let mut came = vec![0; sent.len()];
        let (wrote, read) = tokio::join!(to.write_all(&sent), from.read_exact(&mut came));
        wrote.unwrap();
        read.unwrap();
        assert_eq!(sent, came);
        assert_eq!(proxy.done().cuts, 0);
    }
}

#[tokio::test]
async fn a_delay_is_felt_in_each_direction_until_the_network_heals() {
    let network = Network {
        delay: Duration::from_millis(60),
        ..Network::CLEAR
    };
    let (proxy, mut socket) = through(network, 1).await;
    let mut byte = [0];
    let began = Instant::now();
    socket.write_all(b"a").await.unwrap();
    socket.read_exact(&mut byte).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(120));
    proxy.become_like(Network::CLEAR);
    let began = Instant::now();
    socket.write_all(b"b").await.unwrap();
    socket.read_exact(&mut byte).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(60));
}

#[tokio::test]
async fn loss_is_the_time_of_a_retransmission() {
    let network = Network {
        loss: 500_000,
        ..Network::CLEAR
    };
    let (proxy, mut socket) = through(network, 3).await;
    let mut byte = [0];
    let began = Instant::now();
    while proxy.done().losses == 0 {
        socket.write_all(b"a").await.unwrap();
        socket.read_exact(&mut byte).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_connection_is_cut_in_the_middle_and_a_seed_cuts_it_there_again() {
    let network = Network {
        cut: 20_000,
        ..Network::CLEAR
    };
    let mut ends = Vec::new();
    for seed in [1, 1, 2, 3] {
        let (proxy, mut socket) = through(network, seed).await;
        ends.push(echoed_until_the_end(&mut socket).await);
        drop(socket);
        assert_eq!(proxy.done().accepted, 1);
    }
    assert_eq!(ends[0], ends[1]);
    assert!(ends.iter().any(|end| end % 100 != 0), "{ends:?}");
    assert_ne!(ends[1..], vec![ends[1]; 3]);
}

#[tokio::test]
async fn what_is_swallowed_never_comes_and_the_connection_ends() {
    let network = Network {
        swallow: 1_000_000,
        stall_time: Duration::from_millis(20),
        ..Network::CLEAR
    };
    let (_proxy, mut socket) = through(network, 1).await;
    let began = Instant::now();
    assert_eq!(echoed_until_the_end(&mut socket).await, 0);
    assert!(began.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn connections_are_cut_at_once_also_inside_of_what_passes_and_the_others_live_on() {
    const CONNECTIONS: usize = 30;
    const CUT: usize = 20;
    let (proxy, first) = through(Network::CLEAR, 5).await;
    let mut sockets = vec![first];
    while sockets.len() < CONNECTIONS {
        sockets.push(TcpStream::connect(proxy.address()).await.unwrap());
    }
    let mut talking = tokio::task::JoinSet::new();
    for mut socket in sockets {
        talking.spawn(async move { echoed_until_the_end(&mut socket).await });
    }
    while proxy.done().bytes < 100_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.cut(CUT), CUT);
    let mut ends = Vec::new();
    while ends.len() < CUT {
        ends.push(talking.join_next().await.unwrap().unwrap());
    }
    assert!(ends.iter().any(|end| end % 100 != 0), "{ends:?}");
    assert_eq!(proxy.done().cuts, CUT as u64);
    let before = proxy.done().bytes;
    while proxy.done().bytes < before + 100_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(talking.len(), CONNECTIONS - CUT);
    let rest = proxy.cut(usize::MAX);
    assert_eq!(rest, CONNECTIONS - CUT, "more than there are cuts all");
}

#[tokio::test]
async fn a_connection_on_which_nothing_passes_is_cut_where_it_stands() {
    let (proxy, mut socket) = through(Network::CLEAR, 1).await;
    while proxy.done().accepted == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.cut(1), 1);
    assert!(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)));
}
