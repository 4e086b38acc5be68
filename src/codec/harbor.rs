//! Frames between harbors, skynet's older network of up to 255 nodes: a length of four bytes, the
//! payload, and a trailer with source, destination, kind and session. All big-endian.
//!
//! Invariant: what `encode` writes `Splitter` reads, however the bytes are cut. At most one frame
//! that is incomplete is kept, so at most 16 MiB.

/// Bytes of the length in front.
const LENGTH: usize = 4;
/// Bytes of the trailer.
const TRAILER: usize = 12;
/// The longest frame without its length: that has a zero for its first byte.
pub const LONGEST: usize = (1 << 24) - 1;
/// Bits of a handle without its harbor id. In the trailer the kind takes the place of the id.
const COUNTER_BITS: u32 = 24;
const COUNTER: u32 = (1 << COUNTER_BITS) - 1;

/// Who and what of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of the sender's handle; zero for none.
    pub source: u32,
    /// Number of the receiver's handle, without its harbor id when it was read.
    pub destination: u32,
    /// Kind of the message.
    pub kind: u8,
    /// Its session.
    pub session: i32,
}

/// A frame would be longer than `LONGEST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong(pub usize);

/// Adds a frame to `out`.
///
/// # Errors
/// When it would be too long; nothing is added then.
pub fn encode(out: &mut Vec<u8>, head: Head, body: &[u8]) -> Result<(), TooLong> {
    let length = body.len() + TRAILER;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= LONGEST) else {
        return Err(TooLong(length));
    };
    out.reserve(LENGTH + TRAILER + body.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    let destination = u32::from(head.kind) << COUNTER_BITS | head.destination & COUNTER;
    out.extend_from_slice(&head.source.to_be_bytes());
    out.extend_from_slice(&destination.to_be_bytes());
    out.extend_from_slice(&head.session.to_be_bytes());
    Ok(())
}

/// Reads a frame without its length; `None` when it is shorter than its trailer.
fn decode(frame: &[u8]) -> Option<(Head, &[u8])> {
    let (body, trailer) = frame.split_last_chunk::<TRAILER>()?;
    let word = |index: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&trailer[4 * index..4 * index + 4]);
        bytes
    };
    let destination = u32::from_be_bytes(word(1));
    let head = Head {
        source: u32::from_be_bytes(word(0)),
        destination: destination & COUNTER,
        kind: destination.to_be_bytes()[0],
        session: i32::from_be_bytes(word(2)),
    };
    Some((head, body))
}

/// Why a stream of bytes is not one of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// A frame says that it is longer than `LONGEST`.
    TooLong(usize),
    /// A frame is too short for its trailer.
    TooShort(usize),
}

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub struct Splitter {
    left: Vec<u8>,
}

/// The length in front of `bytes`, once all of it is there.
fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(length) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    match length {
        _ if length > LONGEST => Err(Malformed::TooLong(length)),
        _ if length < TRAILER => Err(Malformed::TooShort(length)),
        _ => Ok(Some(length)),
    }
}

impl Splitter {
    /// Gives each frame that is complete to `on_frame`.
    ///
    /// # Errors
    /// When the bytes are no frames. Those before were given out.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut on_frame: impl FnMut(Head, &[u8]),
    ) -> Result<(), Malformed> {
        let mut rest = bytes;
        // What was cut is put together; the frames behind it are read where they are.
        while !self.left.is_empty() {
            let wanted = length(&self.left)?.map_or(LENGTH, |length| LENGTH + length);
            let missing = wanted.saturating_sub(self.left.len());
            if missing == 0 {
                if let Some((head, body)) = decode(&self.left[LENGTH..]) {
                    on_frame(head, body);
                }
                self.left.clear();
                break;
            }
            if rest.is_empty() {
                return Ok(());
            }
            let (taken, behind) = rest.split_at(missing.min(rest.len()));
            self.left.extend_from_slice(taken);
            rest = behind;
        }
        while let Some(length) = length(rest)? {
            let Some((frame, behind)) = rest[LENGTH..].split_at_checked(length) else { break };
            if let Some((head, body)) = decode(frame) {
                on_frame(head, body);
            }
            rest = behind;
        }
        self.left.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[&[u8]]) -> Vec<(Head, Vec<u8>)> {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for piece in pieces {
            splitter.feed(piece, |head, body| found.push((head, body.to_vec()))).unwrap();
        }
        assert!(splitter.left.is_empty());
        found
    }

    #[test]
    fn a_frame_is_length_payload_and_trailer_in_big_endian() {
        let head = Head { source: 0x0100_0009, destination: 0x0200_000a, kind: 10, session: 3 };
        let mut out = Vec::new();
        encode(&mut out, head, b"xy").unwrap();
        let expected = [0, 0, 0, 14, b'x', b'y', 1, 0, 0, 9, 10, 0, 0, 10, 0, 0, 0, 3];
        assert_eq!(out, expected);
        let read = Head { destination: 10, ..head };
        assert_eq!(frames(&[&out]), [(read, b"xy".to_vec())]);
    }

    #[test]
    fn frames_are_the_same_however_their_bytes_are_cut() {
        let mut out = Vec::new();
        let mut expected = Vec::new();
        for (number, body) in [&b""[..], b"one", &[7; 300], b"last"].iter().enumerate() {
            let number = u32::try_from(number).unwrap();
            let head = Head { source: number, destination: number + 1, kind: 1, session: -1 };
            encode(&mut out, head, body).unwrap();
            expected.push((head, body.to_vec()));
        }
        for cut in 0..=out.len() {
            assert_eq!(frames(&[&out[..cut], &out[cut..]]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = out.chunks(1).collect();
        assert_eq!(frames(&single), expected);
    }

    #[test]
    fn lengths_that_no_frame_has_are_refused() {
        let feed = |bytes: &[u8]| Splitter::default().feed(bytes, |_, _| {});
        assert_eq!(feed(&[1, 0, 0, 0]), Err(Malformed::TooLong(1 << 24)));
        assert_eq!(feed(&[0, 0, 0, 11, 0]), Err(Malformed::TooShort(11)));
        assert_eq!(feed(&[0, 0, 0]), Ok(()));
        let head = Head { source: 1, destination: 2, kind: 3, session: 4 };
        let mut out = Vec::new();
        let body = vec![0; LONGEST - TRAILER];
        encode(&mut out, head, &body).unwrap();
        assert_eq!(feed(&out), Ok(()));
        let long = vec![0; LONGEST - TRAILER + 1];
        assert_eq!(encode(&mut out, head, &long), Err(TooLong(LONGEST + 1)));
    }
}
