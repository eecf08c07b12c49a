//! The compressed forms of a file, made once here so that the server compresses nothing.

use std::io::Write as _;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Files that are compressed already, or that no browser asks for.
const AS_THEY_ARE: [&str; 2] = ["png", "json"];

/// A file, and its `.br` and `.gz` forms.
pub(super) fn forms((name, bytes): (String, Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if AS_THEY_ARE.contains(&extension) {
        return vec![(name, bytes)];
    }
    let br = (format!("{name}.br"), brotli(&bytes));
    let gz = (format!("{name}.gz"), gzip(&bytes));
    vec![(name, bytes), br, gz]
}

/// Brotli at its highest quality: the files are made once and sent for ever.
pub(crate) fn brotli(bytes: &[u8]) -> Vec<u8> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
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
            forms((name.to_owned(), vec![1; 100]))
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("a-1.js"), ["a-1.js", "a-1.js.br", "a-1.js.gz"]);
        assert_eq!(names("a-1.png"), ["a-1.png"]);
    }

    #[test]
    fn what_was_compressed_comes_back_whole() {
        let text = "사랑방 ".repeat(1_000).into_bytes();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(&text), &mut plain).unwrap();
        assert_eq!(plain, text);
    }
}
