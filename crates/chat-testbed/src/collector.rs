//! A collector of traces that takes whatever is sent to it over HTTP, and keeps it as it came.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request that came.
#[derive(Debug, Clone)]
pub struct Export {
    /// Its line and its headers, each a line.
    pub head: String,
    /// Its body: protobuf, as a rule.
    pub body: Vec<u8>,
}

/// A collector on a port of its own. Dropping it ends it.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    exports: Mutex<Vec<Export>>,
    status: AtomicU16,
    ended: AtomicBool,
}

impl Collector {
    /// One that takes everything.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            exports: Mutex::default(),
            status: AtomicU16::new(200),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away has only not been served.
                let _ = stream.and_then(|stream| serving.serve(&stream));
            }
        });
        Ok(Self { address, shared })
    }

    /// Its address, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::Relaxed);
    }

    /// What came so far, whatever it was answered.
    pub fn exports(&self) -> Vec<Export> {
        let exports = &self.shared.exports;
        let exports = exports.lock().unwrap_or_else(PoisonError::into_inner);
        exports.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes it.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let begins = head.len();
            reader.read_line(&mut head)?;
            let line = head[begins..].trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let exports = &self.exports;
        let mut exports = exports.lock().unwrap_or_else(PoisonError::into_inner);
        exports.push(Export { head, body });
        drop(exports);
        let status = self.status.load(Ordering::Relaxed);
        let answer =
            format!("HTTP/1.1 {status} said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        (&mut &*stream).write_all(answer.as_bytes())
    }
}
