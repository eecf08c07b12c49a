//! The client of a server's own health check, so that an image needs no other program for it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of an answer is read.
const ANSWER_BYTES: u64 = 4_096;

/// The server is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Nobody answers.
    #[error("{admin} does not answer: {source}")]
    Silent {
        /// The admin address that was asked.
        admin: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It says so.
    #[error("{admin} is not ready: {answer}")]
    Refused {
        /// The admin address that was asked.
        admin: SocketAddr,
        /// The last line of its answer.
        answer: String,
    },
}

/// Asks the server with this admin address, where nothing is enciphered, whether it is ready.
///
/// # Errors
/// When it is not.
pub fn ask(admin: SocketAddr) -> Result<(), NotReady> {
    let answer = answer(admin).map_err(|source| NotReady::Silent { admin, source })?;
    if answer.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    let answer = answer.lines().last().unwrap_or_default().to_owned();
    Err(NotReady::Refused { admin, answer })
}

fn answer(admin: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&reachable(admin), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {admin}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Who listens on all addresses is reached on this machine's own.
fn reachable(admin: SocketAddr) -> SocketAddr {
    let ip = match admin.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, admin.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.1:8081", "10.0.0.1:8081"),
        ] {
            let listens = listens.parse().unwrap();
            assert_eq!(reachable(listens).to_string(), asked);
        }
    }
}
