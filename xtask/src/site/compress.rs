//! The compressed forms of a file, made once here so that the server compresses nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Files that are compressed already, or that no browser asks for.
const AS_THEY_ARE: [&str; 2] = ["png", "json"];

/// A file, and its `.br` and `.gz` forms. Those of a file that is the same in the site `before` are taken
/// from there: compressing is most of the work when a style changes.
pub(super) fn forms(name: String, bytes: Vec<u8>, before: &Path) -> Vec<(String, Vec<u8>)> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if AS_THEY_ARE.contains(&extension) {
        return vec![(name, bytes)];
    }
    let same = fs::read(before.join(&name)).is_ok_and(|old| old == bytes);
    let form = |extension: &str, compress: fn(&[u8]) -> Vec<u8>| {
        let name = format!("{name}.{extension}");
        let known = same.then(|| fs::read(before.join(&name)).ok()).flatten();
        (name, known.unwrap_or_else(|| compress(&bytes)))
    };
    let (br, gz) = (form("br", brotli), form("gz", gzip));
    vec![(name, bytes), br, gz]
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
    fn a_script_has_three_forms_and_an_image_one() {
        let names = |name: &str| {
            forms(name.to_owned(), vec![1; 100], Path::new("no site yet"))
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("a-1.js"), ["a-1.js", "a-1.js.br", "a-1.js.gz"]);
        assert_eq!(names("a-1.png"), ["a-1.png"]);
    }

    #[test]
    fn only_what_is_the_same_is_taken_from_the_site_before() {
        let before = std::env::temp_dir().join(format!("xtask-site-{}", std::process::id()));
        fs::create_dir_all(&before).unwrap();
        fs::write(before.join("a-1.js"), b"text").unwrap();
        fs::write(before.join("a-1.js.br"), b"as it was").unwrap();
        let small = |text: &[u8]| {
            forms("a-1.js".to_owned(), text.to_vec(), &before)[1]
                .1
                .clone()
        };
        assert_eq!(small(b"text"), b"as it was");
        assert_eq!(small(b"another text"), brotli(b"another text"));
        fs::remove_dir_all(before).unwrap();
    }

    #[test]
    fn what_was_compressed_comes_back_whole() {
        let text = "사랑방 ".repeat(1_000).into_bytes();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(&text), &mut plain).unwrap();
        assert_eq!(plain, text);
    }
}
