//! Documents to bytes and back. An event is encoded once; every reader's frame shares the bytes.

use chat_types::frame::{self, FrameError};
use chat_types::id::RequestId;
use chat_types::limits::{OUT_FRAME_BYTES, OUT_FRAME_DOCUMENTS};
use chat_types::object;
use chat_types::ws::{Command, ServerDoc};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// One encoded document; clones share its bytes.
pub type Doc = Utf8Bytes;

/// Encodes a document.
///
/// # Panics
/// Never: wire types have string keys and no failing serializer.
pub fn encode(document: &ServerDoc) -> Doc {
    serde_json::to_string(document)
        .expect("wire types always serialize")
        .into()
}

/// One document of a client, as far as it could be read.
#[derive(Debug)]
pub(super) enum Received {
    /// A command.
    Command(Command),
    /// JSON with a tag that this server does not know.
    Unknown(Option<RequestId>),
    /// Not a document of this protocol.
    Malformed(Option<RequestId>),
}

/// Just the id, for answers to what could not be read otherwise.
#[derive(Deserialize)]
struct IdOnly {
    id: RequestId,
}

/// The documents of a client's frame, in order.
pub(super) fn decode(frame: &str) -> Result<Vec<Received>, FrameError> {
    Ok(frame::split(frame)?.map(decode_document).collect())
}

fn decode_document(document: &str) -> Received {
    let json = document.as_bytes();
    let id = || object::from_slice(json).ok().map(|it: IdOnly| it.id);
    match object::from_slice(json) {
        Ok(Command::Unknown) => Received::Unknown(id()),
        Ok(command) => Received::Command(command),
        Err(_) => Received::Malformed(id()),
    }
}

/// Documents of a frame, joined once for every reader who gets the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    text: Doc,
    documents: usize,
}

impl Run {
    /// The run of as many of these documents, which are one after the other, as go into one frame.
    pub(super) fn of<'a>(documents: impl Iterator<Item = &'a Doc>) -> Self {
        let mut frame = Frame::default();
        for doc in documents {
            if !frame.has_room_for(doc) {
                break;
            }
            frame.push(doc.clone());
        }
        let documents = frame.documents;
        Self {
            text: frame.into_text().unwrap_or_default(),
            documents,
        }
    }

    pub(super) fn documents(&self) -> usize {
        self.documents
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether `doc` would be part of it too.
    pub(super) fn has_room_for(&self, doc: &Doc) -> bool {
        self.documents < OUT_FRAME_DOCUMENTS && self.bytes() + 1 + doc.len() <= OUT_FRAME_BYTES
    }
}

/// A frame in the making: at most 64 documents and 64 KiB, unless one document alone is longer.
#[derive(Default)]
pub(super) struct Frame {
    /// Documents, or several of them joined already.
    texts: Vec<Doc>,
    documents: usize,
    bytes: usize,
}

impl Frame {
    /// Whether nothing is in this frame.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether `doc` goes into this frame.
    pub(super) fn has_room_for(&self, doc: &Doc) -> bool {
        self.is_empty()
            || (self.documents < OUT_FRAME_DOCUMENTS
                && self.bytes + 1 + doc.len() <= OUT_FRAME_BYTES)
    }

    /// Whether not even a small document goes into this frame.
    pub(super) fn is_full(&self) -> bool {
        self.documents >= OUT_FRAME_DOCUMENTS || self.bytes >= OUT_FRAME_BYTES
    }

    pub(super) fn push(&mut self, doc: Doc) {
        self.put(doc, 1);
    }

    /// Begins an empty frame with a run.
    pub(super) fn begin(&mut self, run: Run) {
        debug_assert!(self.is_empty(), "a run is as long as a frame may be");
        self.put(run.text, run.documents);
    }

    fn put(&mut self, text: Doc, documents: usize) {
        self.bytes += text.len() + usize::from(!self.is_empty());
        self.documents += documents;
        self.texts.push(text);
    }

    /// The documents, in order. A document holds no line break of its own.
    pub(super) fn documents(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.split('\n'))
    }

    /// The frame's text; `None` when nothing is in it. A single text keeps its shared bytes.
    pub(super) fn into_text(mut self) -> Option<Utf8Bytes> {
        match self.texts.len() {
            0 => None,
            1 => self.texts.pop(),
            _ => {
                let mut joined = String::with_capacity(self.bytes);
                for text in &self.texts {
                    if !joined.is_empty() {
                        joined.push('\n');
                    }
                    joined.push_str(text);
                }
                Some(joined.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_64_documents_or_64_kib_and_always_one() {
        let small = Doc::from("{}");
        let mut frame = Frame::default();
        for _ in 0..OUT_FRAME_DOCUMENTS {
            assert!(frame.has_room_for(&small));
            frame.push(small.clone());
        }
        assert!(frame.is_full() && !frame.has_room_for(&small));
        let text = frame.into_text().unwrap();
        assert_eq!(frame::split(&text).unwrap().count(), OUT_FRAME_DOCUMENTS);

        let huge = Doc::from("x".repeat(OUT_FRAME_BYTES + 1));
        let mut frame = Frame::default();
        assert!(frame.has_room_for(&huge));
        frame.push(huge);
        assert!(frame.is_full());
    }

    #[test]
    fn a_document_alone_in_its_frame_shares_the_bytes_of_every_other_reader() {
        let doc = Doc::from("{\"t\":\"ev\"}".to_owned());
        let mut frame = Frame::default();
        frame.push(doc.clone());
        assert_eq!(frame.into_text().unwrap().as_ptr(), doc.as_ptr());
    }

    #[test]
    fn what_cannot_be_read_is_still_answered_under_its_id() {
        let read =
            decode("{\"t\":\"dance\",\"id\":7}\n{\"t\":\"send\",\"id\":8}\nnonsense").unwrap();
        assert!(matches!(read[0], Received::Unknown(Some(RequestId(7)))));
        assert!(matches!(read[1], Received::Malformed(Some(RequestId(8)))));
        assert!(matches!(read[2], Received::Malformed(None)));
        let read = decode("[1]\n[\"probe\"]").unwrap();
        assert!(matches!(read[0], Received::Malformed(None)));
        assert!(matches!(read[1], Received::Malformed(None)));
    }
}
