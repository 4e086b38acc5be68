//! What waits to be written: a few bytes of a head, then a range of a body that is not copied.
//!
//! Invariant: a chunk goes out as a whole; nothing is written between its first and last byte.

use std::ops::Range;
use std::sync::Arc;

use crate::kernel::Payload;

/// Longest head of a chunk; the largest frame head of the protocols here.
pub const HEAD: usize = 16;

/// Bytes to be written.
#[derive(Clone, Debug)]
pub struct Chunk {
    head: [u8; HEAD],
    head_length: u8,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Owned(Vec<u8>),
    Shared(Arc<Payload>, Range<usize>),
}

impl Chunk {
    /// A chunk of its own bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { head: [0; HEAD], head_length: 0, body: Body::Owned(bytes) }
    }

    /// A head, and behind it a range of a payload that others use too.
    ///
    /// # Panics
    /// When the head is longer than `HEAD`, or the range is not within the payload.
    pub fn of_payload(head: &[u8], payload: &Arc<Payload>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= payload.len(), "range of the payload");
        let mut chunk = Self {
            head: [0; HEAD],
            head_length: u8::try_from(head.len()).unwrap_or(u8::MAX),
            body: Body::Shared(Arc::clone(payload), range),
        };
        chunk.head[..head.len()].copy_from_slice(head);
        chunk
    }

    /// Its two pieces.
    pub fn pieces(&self) -> [&[u8]; 2] {
        let body = match &self.body {
            Body::Owned(bytes) => bytes.as_slice(),
            Body::Shared(payload, range) => &payload.as_slice()[range.clone()],
        };
        [&self.head[..usize::from(self.head_length)], body]
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
