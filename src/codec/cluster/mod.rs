//! The wire between cluster nodes: frames of a 16-bit big-endian length and so many bytes, whose
//! integers are little-endian. A body too large for one frame goes as a begin and its parts.
//!
//! Source: reference 13.3; checked byte for byte against `tests/vectors/cluster`.
//! Invariants: decoding never reads past its input and copies nothing; what is decoded encodes to
//! the same bytes again.
//! Not here: what bodies hold (`codec/seri.rs`), connections, sessions, priorities (`cluster/`).

mod assemble;
mod handshake;
mod request;
mod response;

pub use assemble::{Assembly, AssemblyError, MOST_UNFINISHED};
pub use handshake::{
    Greeting, HANDSHAKE_VERSION, LONGEST_GREETING, NONCE, NotGreeting, PROOF, Reason, Split,
    decode_greeting, encode_greeting, split_greeting,
};
pub use request::{
    Request, decode_request, encode_begin, encode_single, encode_trace, request_part_head,
};
pub use response::{
    Response, decode_response, encode_error, encode_ok, encode_response_begin, response_part_head,
};

/// Bytes of a body in one part, and the largest body of a response in one frame: half of what a
/// 16-bit length can say, so that the fields around it always fit.
pub const PART: usize = 0x8000;

/// A request of this many bytes or more goes in parts. It is one byte less than where a response
/// begins to; peers do it so.
pub const LARGE_REQUEST: usize = 0x8000;

/// Longest name of an address, as its length is one byte.
pub const LONGEST_NAME: usize = u8::MAX as usize;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 2;

/// Bytes of a part's frame before the part: length, kind and session.
const PART_HEAD: usize = LENGTH_BYTES + 1 + size_of::<u32>();

/// Whom a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address<'a> {
    /// A service by its number; 0 asks for the number behind a registered name.
    Handle(u32),
    /// A service by `@name` (registered in the cluster) or `.name` (of its node): 1 to 255 bytes.
    Name(&'a [u8]),
}

/// Why a frame is none of this wire. The first three texts are those that skynet logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// A request frame without content.
    #[error("Invalid req package. size == 0")]
    Empty,
    /// The frame is too short or too long for what its kind says.
    #[error("Invalid cluster message (size={size})")]
    Size {
        /// Bytes of the frame without its length.
        size: usize,
    },
    /// The first byte of a request is none that is known.
    #[error("Invalid req package type {kind}")]
    RequestKind {
        /// The first byte.
        kind: u8,
    },
    /// The code of a response is none that is known.
    #[error("Invalid cluster response code {code} (session {session})")]
    ResponseCode {
        /// The byte behind the session.
        code: u8,
        /// The session that would have been answered.
        session: u32,
    },
    /// A request to a name of no bytes.
    #[error("Invalid cluster message: empty name (size={size})")]
    EmptyName {
        /// Bytes of the frame without its length.
        size: usize,
    },
    /// The begin of a message that is to have no bytes.
    #[error("Invalid cluster message: total size 0 (session {session})")]
    EmptyTotal {
        /// The session of the message.
        session: u32,
    },
}

/// Splits one frame off `input`: its content and what follows; `None` means "read more bytes, then
/// ask again".
#[inline]
pub fn split_frame(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The parts of a body, and whether each is the last: all have `PART` bytes but the last, which has
/// 1 to `PART`. An empty body has none.
pub fn parts(body: &[u8]) -> impl ExactSizeIterator<Item = (&[u8], bool)> {
    let last = body.len().div_ceil(PART).saturating_sub(1);
    body.chunks(PART).enumerate().map(move |(index, part)| (part, index == last))
}

/// The length in front of a frame of `content` bytes.
///
/// # Panics
/// When it does not fit 16 bits: all that follows on the connection would be garbage.
fn frame_length(content: usize) -> [u8; LENGTH_BYTES] {
    let length = u16::try_from(content);
    length.expect("whoever encodes sends large bodies in parts").to_be_bytes()
}

/// Splits a little-endian integer off `bytes`.
#[inline]
fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (value, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*value), rest))
}

/// Reads the total size that ends a begin. None unless exactly that is left.
fn only_total(bytes: &[u8], session: u32) -> Option<Result<u32, Malformed>> {
    let total = u32::from_le_bytes(bytes.try_into().ok()?);
    Some(if total == 0 { Err(Malformed::EmptyTotal { session }) } else { Ok(total) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_off_only_when_it_is_whole() {
        assert_eq!(split_frame(&[]), None);
        assert_eq!(split_frame(&[0]), None);
        assert_eq!(split_frame(&[0, 2, b'a']), None);
        assert_eq!(split_frame(&[0, 2, b'a', b'b', b'c']), Some((&b"ab"[..], &b"c"[..])));
        assert_eq!(split_frame(&[0, 0, 1]), Some((&[][..], &[1][..])));
        let mut longest = vec![0xff; 2];
        longest.resize(2 + 65_535, b'x');
        assert_eq!(split_frame(&longest), Some((&longest[2..], &[][..])));
    }

    #[test]
    fn all_parts_but_the_last_are_full() {
        let sizes = |length: usize| {
            let body = vec![0; length];
            parts(&body).map(|(part, last)| (part.len(), last)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0), []);
        assert_eq!(sizes(1), [(1, true)]);
        assert_eq!(sizes(PART), [(PART, true)]);
        assert_eq!(sizes(PART + 1), [(PART, false), (1, true)]);
        assert_eq!(sizes(70_000), [(PART, false), (PART, false), (4464, true)]);
    }
}
