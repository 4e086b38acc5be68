//! Packets with their length in front: two bytes, big endian, then so many bytes.
//!
//! Invariant: what comes out does not depend on how the stream was cut into reads. A connection
//! holds less than one packet, and no more memory than has arrived.
//! Not here: which connection is meant, what a packet means, larger packets (a length of two bytes
//! is all there is).

use std::borrow::Cow;

/// Bytes of the length in front of a packet.
pub const HEADER: usize = 2;

/// Longest packet: the largest length that two bytes can say.
pub const LONGEST: usize = u16::MAX as usize;

/// The length in front of a packet of `length` bytes; `None` when it is longer than `LONGEST`.
pub fn header(length: usize) -> Option<[u8; HEADER]> {
    u16::try_from(length).ok().map(u16::to_be_bytes)
}

/// The end of a connection's stream that is no whole packet yet.
#[derive(Debug, Default)]
pub struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    /// Takes the next packet off the stream, which goes on with `input`; what belongs to the
    /// packet is taken off `input`. `None` means that all of `input` is kept and more is needed.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if self.pending.is_empty() {
            if let Some((packet, rest)) = split(input) {
                *input = rest;
                return Some(Cow::Borrowed(packet));
            }
            self.take(input, input.len());
            return None;
        }
        self.take(input, HEADER.saturating_sub(self.pending.len()));
        let length = HEADER + length(&self.pending)?;
        self.take(input, length - self.pending.len());
        if self.pending.len() < length {
            return None;
        }
        let mut packet = std::mem::take(&mut self.pending);
        packet.drain(..HEADER);
        Some(Cow::Owned(packet))
    }

    /// Bytes that wait for the rest of their packet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Keeps up to `count` bytes of `input`.
    fn take(&mut self, input: &mut &[u8], count: usize) {
        let (taken, rest) = input.split_at(count.min(input.len()));
        self.pending.extend_from_slice(taken);
        *input = rest;
    }
}

/// The length that a packet says it has; `None` when not all of it is there.
fn length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|header| usize::from(u16::from_be_bytes(*header)))
}

/// Splits a whole packet off `bytes`.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes[HEADER.min(bytes.len())..].split_at_checked(length(bytes)?)
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn split_all(splitter: &mut Splitter, mut input: &[u8]) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| splitter.next(&mut input).map(Cow::into_owned)).collect()
    }

    #[test]
    fn many_packets_in_one_read_come_in_order_and_the_rest_waits() {
        let mut splitter = Splitter::default();
        assert_eq!(
            split_all(&mut splitter, b"\0\x01a\0\0\0\x02bc\0\x03d"),
            [&b"a"[..], b"", b"bc"]
        );
        assert_eq!(splitter.pending(), 3);
        assert_eq!(split_all(&mut splitter, b"ef\0"), [b"def"]);
        assert_eq!(splitter.pending(), 1);
        assert_eq!(split_all(&mut splitter, b"\0"), [b""]);
        assert_eq!(splitter.pending(), 0);
    }

    #[test]
    fn a_packet_that_comes_byte_by_byte_is_whole_with_its_last_byte() {
        let mut splitter = Splitter::default();
        for byte in b"\x01\x00" {
            assert_eq!(splitter.next(&mut slice::from_ref(byte)), None);
        }
        for number in 0..=255 {
            let whole = splitter.next(&mut slice::from_ref(&number)).is_some();
            assert_eq!(whole, number == 255);
        }
    }

    #[test]
    fn the_longest_packet_has_65535_bytes() {
        assert_eq!(header(LONGEST), Some([255, 255]));
        assert_eq!(header(LONGEST + 1), None);
        let mut stream = header(LONGEST).unwrap().to_vec();
        stream.resize(HEADER + LONGEST, 7);
        let mut splitter = Splitter::default();
        assert_eq!(split_all(&mut splitter, &stream), [&stream[HEADER..]]);
        assert_eq!(split_all(&mut splitter, &stream[..HEADER + LONGEST - 1]).len(), 0);
        assert_eq!(splitter.pending(), HEADER + LONGEST - 1);
    }

    #[test]
    fn memory_is_taken_for_what_has_arrived_and_not_for_what_is_announced() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.next(&mut &b"\xff\xffa"[..]), None);
        assert!(splitter.pending.capacity() < 64);
    }
}
