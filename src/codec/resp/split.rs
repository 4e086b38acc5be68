//! A stream of replies cut where they end.
//!
//! Invariant: what comes out does not depend on how the stream was cut into reads. Memory is taken
//! for bytes that have arrived, and for at most `AHEAD` that are announced.

use std::borrow::Cow;

use super::reply::{Malformed, Scanner};

/// Announced bytes for which room is made at once.
const AHEAD: usize = 4 << 20;

/// Room that is kept between two replies.
const KEPT: usize = 64 << 10;

/// Replies of this length or more are given away without a copy if they came alone.
const GIVEN: usize = 8 << 10;

/// Cuts a stream of replies.
#[derive(Debug)]
pub struct Splitter {
    scanner: Scanner,
    /// The beginning of a reply that is not complete.
    pending: Vec<u8>,
    /// Where the complete ones end.
    ends: Vec<usize>,
    limit: usize,
}

impl Splitter {
    /// A splitter of replies of at most `limit` bytes each.
    pub fn new(limit: usize) -> Self {
        Self { scanner: Scanner::default(), pending: Vec::new(), ends: Vec::new(), limit }
    }

    /// Takes the next bytes of the stream. The replies that are complete now go to `take`, all at
    /// once: their bytes and where each ends.
    ///
    /// # Errors
    /// When something is no reply, or too long; those before it were taken.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        take: impl FnOnce(Cow<'_, [u8]>, &[usize]),
    ) -> Result<(), Malformed> {
        self.ends.clear();
        if self.pending.is_empty() {
            let scanned = self.scan(bytes);
            let end = self.ends.last().copied().unwrap_or(0);
            if end > 0 {
                take(Cow::Borrowed(&bytes[..end]), &self.ends);
            }
            self.keep(&bytes[end..]);
            return scanned;
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let scanned = self.scan(&pending);
        let end = self.ends.last().copied().unwrap_or(0);
        if self.ends.len() == 1 && end == pending.len() && end >= GIVEN {
            take(Cow::Owned(pending), &self.ends);
            return scanned;
        }
        if end > 0 {
            take(Cow::Borrowed(&pending[..end]), &self.ends);
            pending.drain(..end);
            pending.shrink_to(KEPT);
        }
        self.pending = pending;
        self.keep(&[]);
        scanned
    }

    /// Adds to what is pending, and makes room for its rest.
    fn keep(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let more = self.scanner.needed(&self.pending).saturating_sub(self.pending.len());
        if more > 0 {
            self.pending.reserve(more.min(AHEAD));
        }
    }

    fn scan(&mut self, input: &[u8]) -> Result<(), Malformed> {
        let mut start = 0;
        while start < input.len() {
            match self.scanner.scan(&input[start..], self.limit)? {
                Some(length) => start += length,
                None => break,
            }
            self.ends.push(start);
        }
        Ok(())
    }

    /// True when no reply is incomplete.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The replies that come out of `input`, given in pieces of `step` bytes.
    fn cut(input: &[u8], step: usize) -> (Vec<Vec<u8>>, Result<(), Malformed>) {
        let mut splitter = Splitter::new(1 << 20);
        let mut all = Vec::new();
        for piece in input.chunks(step) {
            let fed = splitter.feed(piece, |bytes, ends| {
                let mut start = 0;
                for end in ends {
                    all.push(bytes[start..*end].to_vec());
                    start = *end;
                }
                assert_eq!(start, bytes.len());
            });
            if fed.is_err() {
                return (all, fed);
            }
        }
        (all, Ok(()))
    }

    #[test]
    fn replies_come_out_whole_however_they_arrive() {
        let long = [b"$20000\r\n".as_slice(), &[b'x'; 20_000], b"\r\n"].concat();
        let replies: [&[u8]; 5] = [b"+OK\r\n", b"*2\r\n:1\r\n$-1\r\n", &long, b":7\r\n", &long];
        let input = replies.concat();
        for step in [1, 2, 7, 100, 19_999, 20_030, input.len()] {
            let (all, fed) = cut(&input, step);
            assert_eq!((fed, all.len()), (Ok(()), 5), "{step}");
            assert!(all.iter().zip(replies).all(|(got, sent)| got == sent), "{step}");
        }
    }

    #[test]
    fn what_came_before_garbage_is_taken() {
        let (all, fed) = cut(b"+OK\r\n:1\r\nHTTP/1.1 200 OK\r\n", 100);
        assert_eq!(all, [b"+OK\r\n".to_vec(), b":1\r\n".to_vec()]);
        assert!(matches!(fed, Err(Malformed::Type(_))));
    }

    #[test]
    fn no_room_is_made_for_what_is_only_announced() {
        let mut splitter = Splitter::new(1 << 30);
        splitter.feed(b"$536870912\r\nabc", |_, _| ()).unwrap();
        assert!(splitter.pending.capacity() <= AHEAD + KEPT);
    }

    proptest! {
        #[test]
        fn the_cuts_decide_nothing_whatever_bytes_come(
            input in proptest::collection::vec(
                prop_oneof![
                    1 => any::<u8>(),
                    20 => prop::sample::select(b"+-:$*\r\n012".to_vec()),
                ],
                0..120,
            ),
            good in 0_usize..4,
            step in 1_usize..30,
        ) {
            let input = [b"*2\r\n$2\r\nab\r\n:1\r\n".repeat(good), input].concat();
            let (whole, pieces) = (cut(&input, input.len().max(1)), cut(&input, step));
            prop_assert_eq!(&whole.0, &pieces.0);
            prop_assert_eq!(whole.1.is_ok(), pieces.1.is_ok());
        }
    }
}
