//! Frames that a turn of a link or an agent has made, to be written in one go.
//!
//! Invariant: the order of the frames is kept; large bodies are not copied.

use std::ops::Range;
use std::sync::Arc;

use crate::codec::cluster::parts;
use crate::kernel::Payload;
use crate::net::stream::Ended;
use crate::net::{Channel, Chunk};

/// Bytes from which on a batch is written before the turn ends: enough for one write, little
/// enough for the processor's cache.
const FULL: usize = 256 << 10;

/// Capacity kept between turns.
const KEPT: usize = 64 << 10;

/// Frames to be written in one go.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Chunks that end before `small` begins.
    chunks: Vec<Chunk>,
    small: Vec<u8>,
    /// Bytes of `chunks`.
    bytes: usize,
}

impl Batch {
    /// Where frames that are small are written to.
    pub(super) const fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// Adds a body in parts: that of a payload from `start` on. `head` makes the head of a part from
    /// its length and whether it is the last.
    pub(super) fn push_body<const N: usize>(
        &mut self,
        payload: Payload,
        start: usize,
        head: impl Fn(usize, bool) -> [u8; N],
    ) {
        let payload = Arc::new(payload);
        let mut at = start;
        for (part, last) in parts(&payload.as_slice()[start..]) {
            let end = at + part.len();
            self.push_part(&head(part.len(), last), &payload, at..end);
            at = end;
        }
    }

    /// Adds a frame whose body is a range of a payload.
    fn push_part(&mut self, head: &[u8], payload: &Arc<Payload>, range: Range<usize>) {
        if !self.small.is_empty() {
            let small = std::mem::take(&mut self.small);
            self.push(Chunk::new(small));
        }
        self.push(Chunk::of_payload(head, payload, range));
    }

    fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// True when it should be written now.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes + self.small.len() >= FULL
    }

    /// Writes everything; answers how many bytes the connection has queued, `None` when there was
    /// nothing to write.
    pub(super) fn write_to(&mut self, channel: &Channel) -> Option<Result<usize, Ended>> {
        if self.chunks.is_empty() {
            if self.small.is_empty() {
                return None;
            }
            let written = channel.write(&self.small);
            self.clear();
            return Some(written);
        }
        let small = std::mem::take(&mut self.small);
        let last = Some(small).filter(|small| !small.is_empty()).map(Chunk::new);
        let written = channel.write_chunks(self.chunks.drain(..).chain(last));
        self.bytes = 0;
        Some(written)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
        self.small.clear();
        self.small.shrink_to(KEPT);
    }
}
