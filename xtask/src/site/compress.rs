//! The compressed forms of a file, made once here so that the server compresses nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Files that are compressed already, or that no browser asks for.
const AS_THEY_ARE: [&str; 2] = ["png", "json"];

/// What is stored of a file: its `.br` and `.gz` forms and not itself, since next to no client takes neither,
/// and that is two thirds of a site; the server unpacks one for those. The forms of a file that is the same in
/// the site `before` are taken from there: compressing is most of the work when a style changes.
pub(super) fn forms(name: String, bytes: Vec<u8>, before: &Path) -> Vec<(String, Vec<u8>)> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if AS_THEY_ARE.contains(&extension) {
        return vec![(name, bytes)];
    }
    let (br_name, gz_name) = (format!("{name}.br"), format!("{name}.gz"));
    let known = fs::read(before.join(&gz_name))
        .ok()
        .filter(|gz| unpacks_to(gz, &bytes))
        .and_then(|gz| Some((fs::read(before.join(&br_name)).ok()?, gz)));
    let (br, gz) = known.unwrap_or_else(|| (brotli(&bytes), gzip(&bytes)));
    vec![(br_name, br), (gz_name, gz)]
}

fn unpacks_to(gz: &[u8], bytes: &[u8]) -> bool {
    let mut unpacked = Vec::with_capacity(bytes.len());
    GzDecoder::new(gz).read_to_end(&mut unpacked).is_ok() && unpacked == bytes
}

/// Brotli at its highest quality: the files are made once and sent for ever.
pub(crate) fn brotli(bytes: &[u8]) -> Vec<u8> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        // A module in one block: 0.3 % smaller than in the encoder's own blocks of 256 KiB.
        lgblock: 21,
        size_hint: bytes.len(),
        ..BrotliEncoderParams::default()
    };
    let mut small = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut small, &parameters)
        .expect("memory takes what is written");
    small
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(bytes)
        .expect("memory takes what is written");
    encoder.finish().expect("memory takes what is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_stored_compressed_only_and_an_image_as_it_is() {
        let names = |name: &str| {
            forms(name.to_owned(), vec![1; 100], Path::new("no site yet"))
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("a-1.js"), ["a-1.js.br", "a-1.js.gz"]);
        assert_eq!(names("a-1.png"), ["a-1.png"]);
    }

    #[test]
    fn only_what_is_the_same_is_taken_from_the_site_before() {
        let before = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(before.path().join(name), bytes).unwrap();
        let brotli_of = |text: &[u8]| {
            forms("a-1.js".to_owned(), text.to_vec(), before.path())
                .swap_remove(0)
                .1
        };
        write("a-1.js.br", b"as it was");
        assert_eq!(brotli_of(b"text"), brotli(b"text"));
        write("a-1.js.gz", &gzip(b"text"));
        assert_eq!(brotli_of(b"text"), b"as it was");
        assert_eq!(brotli_of(b"another text"), brotli(b"another text"));
        write("a-1.js.gz", b"torn");
        assert_eq!(brotli_of(b"text"), brotli(b"text"));
    }

    #[test]
    fn what_was_compressed_comes_back_whole() {
        let text = "사랑방 ".repeat(1_000).into_bytes();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(&text), &mut plain).unwrap();
        assert_eq!(plain, text);
        assert!(unpacks_to(&gzip(&text), &text));
    }
}
