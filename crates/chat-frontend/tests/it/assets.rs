//! Files that are stored compressed only, as `cargo xtask build` leaves them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{FrontEnd, MANIFEST};

const SCRIPT: &[u8] =
    b"say('one line of a script, again, again, again, again, again, again, again')";
/// The server sends it without a look into it.
const BROTLI: &[u8] = b"the stored brotli";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_packed(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("manifest.json", MANIFEST.as_bytes());
    for name in [
        "app.wasm",
        "embed.js",
        "embed.wasm",
        "style.css",
        "loader.js",
    ] {
        write(&format!("{name}.gz"), &gzip(name.as_bytes()));
        write(&format!("{name}.br"), BROTLI);
    }
    write("app.js.gz", &gzip(SCRIPT));
    write("app.js.br", BROTLI);
}

struct Packed {
    front_end: FrontEnd,
    _folder: tempfile::TempDir,
}

impl Packed {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_packed(folder.path());
        let variable = ("CHAT_FRONTEND_ASSETS", folder.path().to_str().unwrap());
        Self {
            front_end: FrontEnd::start(&[variable]),
            _folder: folder,
        }
    }

    /// The head, in lower case, and the body of its answer.
    fn ask(&self, method: &str, path: &str, header: &str) -> (String, Vec<u8>) {
        let head = "HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n";
        let header = match header {
            "" => String::new(),
            header => format!("{header}\r\n"),
        };
        let request = format!("{method} {path} {head}{header}\r\n");
        let mut stream = self.front_end.connect(request.as_bytes());
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .unwrap();
        let head = std::str::from_utf8(&answer[..end]).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        (head, answer[end + 4..].to_vec())
    }
}

#[test]
fn who_takes_a_stored_form_gets_it_as_it_is() {
    let packed = Packed::start();
    for (accepted, encoding, stored) in [
        ("gzip, br", "br", BROTLI.to_vec()),
        ("br;q=0, gzip", "gzip", gzip(SCRIPT)),
    ] {
        let accepts = format!("Accept-Encoding: {accepted}");
        let (head, body) = packed.ask("GET", "/assets/app.js", &accepts);
        assert!(
            head.contains(&format!("content-encoding: {encoding}")),
            "{head}"
        );
        assert!(head.contains("vary: accept-encoding"), "{head}");
        assert_eq!(body, stored, "{accepted}");
    }
}

#[test]
fn who_takes_no_encoding_gets_the_file_unpacked() {
    let packed = Packed::start();
    for header in ["", "Accept-Encoding: identity", "Accept-Encoding: gzip;q=0"] {
        let (head, body) = packed.ask("GET", "/assets/app.js", header);
        assert!(!head.contains("content-encoding"), "{header}: {head}");
        for said in [
            "content-type: text/javascript",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding",
        ] {
            assert!(head.contains(said), "{header}: {head}");
        }
        assert_eq!(body, SCRIPT, "{header}");
    }
    assert_eq!(packed.ask("GET", "/embed.js", "").1, b"loader.js");
}

#[test]
fn a_head_tells_the_length_of_the_form_that_would_be_sent() {
    let packed = Packed::start();
    for (header, length) in [
        ("", SCRIPT.len()),
        ("Accept-Encoding: gzip", gzip(SCRIPT).len()),
        ("Accept-Encoding: br", BROTLI.len()),
    ] {
        let (head, body) = packed.ask("HEAD", "/assets/app.js", header);
        assert!(body.is_empty(), "{header}");
        let said = head
            .lines()
            .any(|line| line == format!("content-length: {length}"));
        assert!(said, "{header}: {head}");
    }
}

#[test]
fn the_stored_forms_have_no_address_of_their_own() {
    let packed = Packed::start();
    for path in [
        "/assets/app.js.gz",
        "/assets/app.js.br",
        "/assets/manifest.json",
    ] {
        let answer = packed.front_end.get(path, "");
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn a_page_is_packed_for_those_who_can_unpack_it() {
    let packed = Packed::start();
    let (_, plain) = packed.ask("GET", "/", "");
    let (head, body) = packed.ask("GET", "/", "Accept-Encoding: gzip, br");
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(body.len() < plain.len());
}

#[test]
fn a_form_that_is_torn_is_named_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    write_packed(folder.path());
    let torn = folder.path().join("app.js.gz");
    let whole = std::fs::read(&torn).unwrap();
    std::fs::write(&torn, &whole[..whole.len() - 5]).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_chat-frontend"))
        .env("CHAT_FRONTEND_ADDR", "127.0.0.1:0")
        .env("CHAT_FRONTEND_ADMIN_ADDR", "127.0.0.1:0")
        .env("CHAT_FRONTEND_ASSETS", folder.path())
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(words.contains("app.js.gz cannot be unpacked"), "{words}");
}
