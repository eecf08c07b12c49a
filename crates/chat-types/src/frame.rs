//! Frames: one text frame holds 1 to 64 documents joined by `\n`.
//!
//! JSON escapes line breaks inside strings, so a line break in a frame always ends a document. This
//! module only cuts and joins lines; what a document says is a matter of [`crate::ws`].

use crate::limits::OUT_FRAME_DOCUMENTS;

/// The most documents in one frame, in either direction.
pub const MAX_DOCUMENTS: usize = OUT_FRAME_DOCUMENTS;

/// Why a text is not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// There is no document in it.
    #[error("the frame holds no document")]
    Empty,
    /// One of its lines is blank.
    #[error("the frame holds a blank line where a document belongs")]
    BlankDocument,
    /// It holds more than [`MAX_DOCUMENTS`].
    #[error("the frame holds more than {MAX_DOCUMENTS} documents")]
    TooManyDocuments,
}

/// The documents of a frame, in order. One line break after the last one is forgiven, since tools
/// for the command line add it.
///
/// # Errors
/// [`FrameError`] when the frame breaks the bounds; then nothing of it may be obeyed.
pub fn split(frame: &str) -> Result<impl Iterator<Item = &str> + Clone, FrameError> {
    let frame = frame.strip_suffix('\n').unwrap_or(frame);
    if frame.trim().is_empty() {
        return Err(FrameError::Empty);
    }
    let documents = frame.split('\n');
    for (index, document) in documents.clone().enumerate() {
        if index == MAX_DOCUMENTS {
            return Err(FrameError::TooManyDocuments);
        }
        if document.trim().is_empty() {
            return Err(FrameError::BlankDocument);
        }
    }
    Ok(documents)
}

/// One frame of all the documents. None of them may hold a line break, which no JSON encoder
/// writes unless it is asked to write for people.
///
/// # Errors
/// [`FrameError`] when the documents do not fit one frame; [`pack`] makes several.
pub fn join<D: AsRef<str>>(documents: &[D]) -> Result<String, FrameError> {
    match documents.len() {
        0 => return Err(FrameError::Empty),
        1..=MAX_DOCUMENTS => {}
        _ => return Err(FrameError::TooManyDocuments),
    }
    if documents.iter().any(|d| d.as_ref().trim().is_empty()) {
        return Err(FrameError::BlankDocument);
    }
    let lines: Vec<&str> = documents.iter().map(AsRef::as_ref).collect();
    Ok(lines.join("\n"))
}

/// As few frames as hold the documents in their order: each frame has at most [`MAX_DOCUMENTS`] of
/// them and at most `max_bytes`. Only a document that is longer by itself makes a longer frame.
pub fn pack<D: AsRef<str>>(
    documents: impl IntoIterator<Item = D>,
    max_bytes: usize,
) -> Vec<String> {
    let mut frames: Vec<String> = Vec::new();
    let mut in_last = 0;
    for document in documents {
        let document = document.as_ref();
        match frames.last_mut() {
            Some(frame)
                if in_last < MAX_DOCUMENTS && frame.len() + 1 + document.len() <= max_bytes =>
            {
                frame.push('\n');
                frame.push_str(document);
                in_last += 1;
            }
            _ => {
                frames.push(document.to_owned());
                in_last = 1;
            }
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{{\"n\":{n}}}")).collect()
    }

    #[test]
    fn what_was_joined_splits_into_the_same_documents() {
        for count in [1, 2, MAX_DOCUMENTS] {
            let sent = documents(count);
            let frame = join(&sent).unwrap();
            assert_eq!(split(&frame).unwrap().collect::<Vec<_>>(), sent);
        }
    }

    #[test]
    fn no_document_and_one_too_many_are_refused_in_both_directions() {
        assert_eq!(join::<&str>(&[]), Err(FrameError::Empty));
        let many = documents(MAX_DOCUMENTS + 1);
        assert_eq!(join(&many), Err(FrameError::TooManyDocuments));
        assert_eq!(
            split(&many.join("\n")).err(),
            Some(FrameError::TooManyDocuments)
        );
        for empty in ["", "\n", " ", "\n\n\n"] {
            assert_eq!(split(empty).err(), Some(FrameError::Empty), "{empty:?}");
        }
    }

    #[test]
    fn a_blank_line_is_not_a_document() {
        for blank in ["{}\n\n{}", "\n{}", "{}\n\n", "{}\n \n{}"] {
            assert_eq!(
                split(blank).err(),
                Some(FrameError::BlankDocument),
                "{blank:?}"
            );
        }
        assert_eq!(join(&["{}", ""]), Err(FrameError::BlankDocument));
    }

    #[test]
    fn one_line_break_after_the_last_document_is_forgiven() {
        assert_eq!(split("{}\n{}\n").unwrap().collect::<Vec<_>>(), ["{}", "{}"]);
        let many = documents(MAX_DOCUMENTS).join("\n") + "\n";
        assert_eq!(split(&many).unwrap().count(), MAX_DOCUMENTS);
    }

    #[test]
    fn packing_fills_frames_to_the_byte_and_keeps_the_order() {
        assert_eq!(pack(["aa", "bb", "cc"], 5), ["aa\nbb", "cc"]);
        assert_eq!(pack(["aa", "bb", "cc"], 4), ["aa", "bb", "cc"]);
        assert_eq!(pack(["a", "too long", "b"], 3), ["a", "too long", "b"]);
        assert!(pack::<&str>([], 3).is_empty());
    }

    #[test]
    fn packing_starts_a_new_frame_after_the_most_documents() {
        let frames = pack(documents(MAX_DOCUMENTS * 2 + 1), usize::MAX);
        let counts: Vec<usize> = frames.iter().map(|f| split(f).unwrap().count()).collect();
        assert_eq!(counts, [MAX_DOCUMENTS, MAX_DOCUMENTS, 1]);
    }
}
