//! Counts the frames of a message below the WebSocket protocol's code, which hands out nothing until
//! the message is complete: without a bound here, fragments that never end are work without end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chat_listener::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What one message may take to arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Fragments of a message.
    pub(super) fragments: u32,
    /// From its first byte to its last.
    pub(super) time: Duration,
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    /// More fragments than are allowed.
    #[error("a message of too many fragments")]
    Fragments,
    /// The message takes too long to come to its end.
    #[error("a message that does not end in time")]
    Time,
}

impl Excess {
    /// The excess that a read of a [`Metered`] stream failed for.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// A stream whose incoming frames are counted.
pub(super) struct Metered {
    stream: Stream,
    meter: Meter,
}

impl Metered {
    /// Counts what comes over `stream`, and `read`, which came before.
    pub(super) fn new(stream: Stream, read: &[u8], allowance: Allowance) -> Self {
        let mut meter = Meter::new(allowance);
        // An excess in the very first bytes is noticed with the next ones.
        let _ = meter.count(read, Instant::now());
        Self { stream, meter }
    }

    /// The stream itself.
    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        Poll::Ready(
            self.meter
                .count(read, Instant::now())
                .map_err(io::Error::other),
        )
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where the stream is between two bytes. Only lengths and the two bits that matter are read; whether
/// the frames are sound is judged above.
struct Meter {
    allowance: Allowance,
    /// Bytes of the frame's head that have come.
    head: [u8; HEAD_BYTES],
    head_len: u8,
    /// Bytes of the frame that are still to come after its head.
    rest: u64,
    /// Fragments of the message so far; a message of one frame has one.
    fragments: u32,
    /// When the message began that is not complete.
    begun: Option<Instant>,
}

/// The bytes of a head up to the mask: two, and a length of up to eight.
const HEAD_BYTES: usize = 10;
const MASK_BYTES: u64 = 4;
const FINAL: u8 = 0x80;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;

impl Meter {
    fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            head: [0; HEAD_BYTES],
            head_len: 0,
            rest: 0,
            fragments: 0,
            begun: None,
        }
    }

    fn count(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Excess> {
        while !bytes.is_empty() {
            bytes = match self.rest {
                0 => self.read_head(bytes, now),
                rest => self.skip(bytes, rest),
            };
            if self.fragments > self.allowance.fragments {
                return Err(Excess::Fragments);
            }
        }
        let too_long = |begun: Instant| now - begun > self.allowance.time;
        if self.begun.is_some_and(too_long) {
            return Err(Excess::Time);
        }
        Ok(())
    }

    /// Takes one byte of the head, and begins the frame when it was the last.
    fn read_head<'a>(&mut self, bytes: &'a [u8], now: Instant) -> &'a [u8] {
        self.head[usize::from(self.head_len)] = bytes[0];
        self.head_len += 1;
        if self.is_data() && self.begun.is_none() {
            self.begun = Some(now);
        }
        if let Some(rest) = self.length() {
            self.rest = rest;
            self.fragments += u32::from(self.is_data());
            self.end_frame_if_complete();
        }
        &bytes[1..]
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], rest: u64) -> &'a [u8] {
        let skipped = bytes.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.rest -= skipped as u64;
        self.end_frame_if_complete();
        &bytes[skipped..]
    }

    fn end_frame_if_complete(&mut self) {
        if self.rest > 0 {
            return;
        }
        self.head_len = 0;
        if self.is_data() && self.head[0] & FINAL != 0 {
            self.fragments = 0;
            self.begun = None;
        }
    }

    fn is_data(&self) -> bool {
        self.head[0] & CONTROL == 0
    }

    /// Bytes after the head, the mask among them; `None` while the head is not complete.
    fn length(&self) -> Option<u64> {
        let head = &self.head[..usize::from(self.head_len)];
        let (second, more) = head.get(1).map(|second| (*second, &head[2..]))?;
        let payload = match second & !MASKED {
            126 => u64::from(u16::from_be_bytes(more.try_into().ok()?)),
            127 => u64::from_be_bytes(more.try_into().ok()?),
            short => u64::from(short),
        };
        let mask = if second & MASKED == 0 { 0 } else { MASK_BYTES };
        Some(payload.saturating_add(mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 1;
    const PING: u8 = 9;

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match payload {
            0..126 => frame.push(MASKED | u8::try_from(payload).unwrap()),
            126..65_536 => {
                frame.push(MASKED | 0x7e);
                frame.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(MASKED | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([0xff; 4]);
        frame.extend(vec![0xff; payload]);
        frame
    }

    fn meter(fragments: u32) -> Meter {
        Meter::new(Allowance {
            fragments,
            time: Duration::from_secs(10),
        })
    }

    /// A message of so many fragments, with a ping between each two.
    fn message(fragments: usize, payload: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for index in 0..fragments {
            let kind = if index == 0 { TEXT } else { 0 };
            let last = if index + 1 == fragments { FINAL } else { 0 };
            bytes.extend(frame(kind | last, payload));
            bytes.extend(frame(FINAL | PING, 3));
        }
        bytes
    }

    #[test]
    fn messages_of_as_many_fragments_as_allowed_pass_in_pieces_of_any_size() {
        let bytes = [0, 1, 125, 126, 300, 65_535, 65_536].map(|payload| message(4, payload));
        let bytes = bytes.concat();
        for size in [1, 2, 7, 4096, bytes.len()] {
            let mut meter = meter(4);
            for piece in bytes.chunks(size) {
                assert_eq!(meter.count(piece, Instant::now()), Ok(()));
            }
            assert!(meter.begun.is_none() && meter.fragments == 0);
        }
    }

    #[test]
    fn one_fragment_too_many_is_an_excess_whatever_it_holds() {
        for payload in [0, 1, 200] {
            let mut meter = meter(4);
            let counted = meter.count(&message(5, payload), Instant::now());
            assert_eq!(counted, Err(Excess::Fragments));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_drips_is_an_excess_when_its_time_is_over() {
        let mut meter = meter(4);
        let begun = Instant::now();
        let bytes = frame(TEXT | FINAL, 100);
        assert_eq!(meter.count(&bytes[..9], begun), Ok(()));
        let last = begun + Duration::from_secs(10);
        assert_eq!(meter.count(&bytes[9..10], last), Ok(()));
        let late = last + Duration::from_millis(1);
        assert_eq!(meter.count(&bytes[10..11], late), Err(Excess::Time));
        assert_eq!(
            meter.count(&frame(FINAL | PING, 0), late),
            Err(Excess::Time)
        );
    }
}
