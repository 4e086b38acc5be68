//! The queue of what a connection has still to write.
//!
//! Two priorities: a chunk of low priority starts only when none of high priority waits, and a
//! chunk once begun is finished first.
//! Invariant: `bytes` is the exact number of bytes queued.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::chunk::Chunk;

/// Pieces given to one write. Linux takes 1024; more than some dozens gain nothing.
pub const PIECES: usize = 64;

/// What a connection has still to write.
#[derive(Debug, Default)]
pub struct Outgoing {
    high: VecDeque<Chunk>,
    low: VecDeque<Chunk>,
    /// Bytes of the first chunk in line that are out already, and whether it is of low priority.
    begun: usize,
    begun_low: bool,
    bytes: usize,
}

impl Outgoing {
    /// Bytes that wait.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds a chunk.
    pub fn push(&mut self, chunk: Chunk, low: bool) {
        let length = chunk.len();
        if length == 0 {
            return;
        }
        self.bytes += length;
        if low { self.low.push_back(chunk) } else { self.high.push_back(chunk) }
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives the bytes next in line to `write` and takes as many off as it has written.
    ///
    /// # Errors
    /// What `write` returns; then nothing is taken off.
    pub fn write_with<E>(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        let mut skip = self.begun;
        for chunk in self.in_line() {
            for piece in chunk.pieces() {
                let out = skip.min(piece.len());
                skip -= out;
                if out < piece.len() && count < PIECES {
                    slices[count] = IoSlice::new(&piece[out..]);
                    count += 1;
                }
            }
            if count == PIECES {
                break;
            }
        }
        let written = write(&slices[..count])?;
        self.take_off(written);
        Ok(written)
    }

    /// The chunks in the order in which they go out.
    fn in_line(&self) -> impl Iterator<Item = &Chunk> {
        let first = usize::from(self.begun > 0 && self.begun_low);
        self.low.iter().take(first).chain(&self.high).chain(self.low.iter().skip(first))
    }

    fn take_off(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let low = if self.begun > 0 { self.begun_low } else { self.high.is_empty() };
            let queue = if low { &mut self.low } else { &mut self.high };
            let Some(length) = queue.front().map(Chunk::len) else { return };
            let left = length - self.begun;
            if written < left {
                self.begun += written;
                self.begun_low = low;
                return;
            }
            written -= left;
            self.begun = 0;
            queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernel::Payload;

    fn drain(queue: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !queue.is_empty() {
            let written = queue.write_with(|slices| {
                let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                let taken = step.min(all.len());
                out.extend_from_slice(&all[..taken]);
                Ok::<_, ()>(taken)
            });
            assert!(written.is_ok_and(|written| written > 0));
        }
        out
    }

    #[test]
    fn chunks_go_out_whole_and_high_before_low_whatever_a_write_takes() {
        for step in 1..20 {
            let mut queue = Outgoing::default();
            let body = Arc::new(Payload::copy_of(b"0123456789"));
            queue.push(Chunk::of_payload(b"<a", &body, 0..4), true);
            queue.push(Chunk::of_payload(b"<b", &body, 4..10), true);
            queue.push(Chunk::new(b"HIGH".to_vec()), false);
            assert_eq!(queue.bytes(), 18);
            assert_eq!(drain(&mut queue, step), b"HIGH<a0123<b456789");
        }
    }

    #[test]
    fn a_low_chunk_that_has_begun_is_finished_before_a_high_one() {
        for begun in 1..6 {
            let mut queue = Outgoing::default();
            let body = Arc::new(Payload::copy_of(b"0123"));
            queue.push(Chunk::of_payload(b"<a", &body, 0..4), true);
            queue.push(Chunk::new(b"low".to_vec()), true);
            assert_eq!(queue.write_with(|_| Ok::<_, ()>(begun)), Ok(begun));
            queue.push(Chunk::new(b"HIGH".to_vec()), false);
            let all = [&b"<a0123"[begun..], b"HIGHlow"].concat();
            assert_eq!(drain(&mut queue, 3), all);
        }
    }

    #[test]
    fn more_chunks_than_one_write_takes_keep_their_order() {
        let mut queue = Outgoing::default();
        let all: Vec<u8> = (0..200).collect();
        all.iter().for_each(|byte| queue.push(Chunk::new(vec![*byte]), false));
        assert_eq!(drain(&mut queue, 1000), all);
    }
}
