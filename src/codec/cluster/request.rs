//! Frames of the calling side: a kind byte, then its fields.
//!
//! Invariant: a frame has exactly the bytes its kind asks for; what is left over belongs to a body,
//! and where there is none the frame is refused.
//! Not here: which session a message takes, and which frames may come between its parts.

use super::{Address, LENGTH_BYTES, LONGEST_NAME, Malformed, PART_HEAD};
use super::{frame_length, only_total, split_u32};

const SINGLE: u8 = 0x00;
const BEGIN: u8 = 0x01;
const MIDDLE_PART: u8 = 0x02;
const LAST_PART: u8 = 0x03;
const TRACE: u8 = 0x04;

/// Added to a begin: nobody waits for an answer. A single request says that by session 0.
const PUSH: u8 = 0x40;
/// Added to a single or a begin: the address is a name.
const NAMED: u8 = 0x80;

/// One decoded request frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// A request in one frame.
    Single {
        /// Whom it is for.
        to: Address<'a>,
        /// What the answer will carry; 0 is a push, which gets none.
        session: u32,
        /// The packed arguments.
        body: &'a [u8],
    },
    /// A request whose body follows in parts.
    Begin {
        /// Whom it is for.
        to: Address<'a>,
        /// What its parts carry, and the answer; a push has one too.
        session: u32,
        /// Bytes of the body, at least 1.
        total: u32,
        /// True when nobody waits for an answer.
        push: bool,
    },
    /// A part of a body.
    Part {
        /// The session of its begin.
        session: u32,
        /// The part.
        bytes: &'a [u8],
        /// True for the part that ends the body.
        last: bool,
    },
    /// The trace tag of the next request on the connection.
    Trace(&'a [u8]),
}

/// Decodes the content of a request frame.
///
/// # Errors
/// When it is empty, of unknown kind, shorter or longer than its kind allows, names nobody, or
/// begins a message of no bytes.
pub fn decode_request(content: &[u8]) -> Result<Request<'_>, Malformed> {
    let (&kind, fields) = content.split_first().ok_or(Malformed::Empty)?;
    let wrong_size = Malformed::Size { size: content.len() };
    match kind {
        MIDDLE_PART | LAST_PART => {
            let (session, bytes) = split_u32(fields).ok_or(wrong_size)?;
            return Ok(Request::Part { session, bytes, last: kind == LAST_PART });
        }
        TRACE => return Ok(Request::Trace(fields)),
        _ => {}
    }
    let form = kind & !NAMED;
    if !matches!(form, SINGLE | BEGIN) && form != BEGIN | PUSH {
        return Err(Malformed::RequestKind { kind });
    }
    let (to, fields) = split_address(kind, fields).ok_or(wrong_size)?;
    let (session, fields) = split_u32(fields).ok_or(wrong_size)?;
    if to == Address::Name(&[]) {
        return Err(Malformed::EmptyName { size: content.len() });
    }
    if form == SINGLE {
        return Ok(Request::Single { to, session, body: fields });
    }
    let total = only_total(fields, session).ok_or(wrong_size)??;
    Ok(Request::Begin { to, session, total, push: form & PUSH != 0 })
}

#[inline]
fn split_address(kind: u8, fields: &[u8]) -> Option<(Address<'_>, &[u8])> {
    if kind & NAMED == 0 {
        let (handle, rest) = split_u32(fields)?;
        return Some((Address::Handle(handle), rest));
    }
    let (&length, rest) = fields.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    Some((Address::Name(name), rest))
}

/// Appends a request in one frame; session 0 makes it a push.
///
/// # Panics
/// As `encode_begin`, and when the frame exceeds 65,535 bytes; a body below `LARGE_REQUEST` always
/// fits.
pub fn encode_single(out: &mut Vec<u8>, to: Address<'_>, session: u32, body: &[u8]) {
    out.reserve(LENGTH_BYTES + head_length(to) + body.len());
    put_head(out, SINGLE, to, session, body.len());
    out.extend_from_slice(body);
}

/// Appends the begin of a request whose body of `total` bytes follows in parts.
///
/// # Panics
/// When `to` is a name that is empty or longer than `LONGEST_NAME`: there is no frame to it.
pub fn encode_begin(out: &mut Vec<u8>, to: Address<'_>, session: u32, total: u32, push: bool) {
    let kind = if push { BEGIN | PUSH } else { BEGIN };
    put_head(out, kind, to, session, size_of_val(&total));
    out.extend_from_slice(&total.to_le_bytes());
}

/// Appends the trace tag of the next request, at most `PART` bytes.
///
/// # Panics
/// When the frame exceeds 65,535 bytes.
pub fn encode_trace(out: &mut Vec<u8>, tag: &[u8]) {
    out.extend_from_slice(&frame_length(1 + tag.len()));
    out.push(TRACE);
    out.extend_from_slice(tag);
}

/// What precedes a part of `length` bytes, so that the part can be written from where it lies.
///
/// # Panics
/// When the frame exceeds 65,535 bytes; a part of at most `PART` bytes always fits.
pub fn request_part_head(session: u32, length: usize, last: bool) -> [u8; PART_HEAD] {
    let [high, low] = frame_length(PART_HEAD - LENGTH_BYTES + length);
    let [a, b, c, d] = session.to_le_bytes();
    [high, low, if last { LAST_PART } else { MIDDLE_PART }, a, b, c, d]
}

/// Bytes of kind, address and session.
fn head_length(to: Address<'_>) -> usize {
    let address = match to {
        Address::Handle(handle) => size_of_val(&handle),
        Address::Name(name) => 1 + name.len(),
    };
    1 + address + size_of::<u32>()
}

/// Appends length, kind, address and session of a frame with `rest` bytes behind them.
fn put_head(out: &mut Vec<u8>, kind: u8, to: Address<'_>, session: u32, rest: usize) {
    let length = frame_length(head_length(to) + rest);
    out.extend_from_slice(&length);
    match to {
        Address::Handle(handle) => {
            out.push(kind);
            out.extend_from_slice(&handle.to_le_bytes());
        }
        Address::Name(name) => {
            let length = u8::try_from(name.len()).unwrap_or(0);
            assert!(length > 0, "a name of {} bytes (limit 1..={LONGEST_NAME})", name.len());
            out.extend_from_slice(&[kind | NAMED, length]);
            out.extend_from_slice(name);
        }
    }
    out.extend_from_slice(&session.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cluster::split_frame;

    const BODY: &[u8] = b"\x1cSET\x0ca\x0a\x01";

    fn content(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(&mut frame);
        let (content, rest) = split_frame(&frame).unwrap();
        assert!(rest.is_empty());
        content.to_vec()
    }

    #[test]
    fn single_requests_have_the_bytes_of_the_reference() {
        let number = content(|out| encode_single(out, Address::Handle(0x0100_000a), 1, BODY));
        assert_eq!(number, [b"\0\x0a\0\0\x01\x01\0\0\0", BODY].concat());
        let to = Address::Name(b"@sdb");
        let name = content(|out| encode_single(out, to, 0, BODY));
        assert_eq!(name, [b"\x80\x04@sdb\0\0\0\0", BODY].concat());
        assert_eq!(decode_request(&name), Ok(Request::Single { to, session: 0, body: BODY }));
    }

    #[test]
    fn begins_say_whether_they_are_pushes_and_to_what_they_go() {
        let number = Address::Handle(10);
        let name = Address::Name(b"@n");
        for (to, push, kind) in
            [(number, false, 0x01), (number, true, 0x41), (name, false, 0x81), (name, true, 0xc1)]
        {
            let bytes = content(|out| encode_begin(out, to, 3, 40_000, push));
            assert_eq!(bytes[0], kind);
            assert_eq!(bytes[bytes.len() - 8..], *b"\x03\0\0\0\x40\x9c\0\0");
            let begin = Request::Begin { to, session: 3, total: 40_000, push };
            assert_eq!(decode_request(&bytes), Ok(begin));
        }
    }

    #[test]
    fn parts_and_trace_tags_come_back() {
        assert_eq!(request_part_head(3, 0x8000, false), *b"\x80\x05\x02\x03\0\0\0");
        assert_eq!(request_part_head(3, 7232, true), *b"\x1c\x45\x03\x03\0\0\0");
        let part = Request::Part { session: 3, bytes: b"xy", last: true };
        assert_eq!(decode_request(b"\x03\x03\0\0\0xy"), Ok(part));
        let trace = content(|out| encode_trace(out, b"(a-b-1)"));
        assert_eq!(decode_request(&trace), Ok(Request::Trace(b"(a-b-1)")));
    }

    #[test]
    fn what_is_no_request_is_refused_in_the_words_of_skynet() {
        let refused = |content: &[u8]| decode_request(content).unwrap_err().to_string();
        assert_eq!(refused(b""), "Invalid req package. size == 0");
        assert_eq!(refused(b"\x05"), "Invalid req package type 5");
        for kind in [0x40, 0x42, 0x82, 0x84, 0xc0, 0xff] {
            assert_eq!(refused(&[kind; 20]), format!("Invalid req package type {kind}"));
        }
        // One byte less than each kind needs, and a byte too many where there is no body.
        for (content, size) in [
            (&b"\0\x0a\0\0\0\x01\0\0"[..], 8),
            (b"\x01\x0a\0\0\0\x01\0\0\0\x01\0\0", 12),
            (b"\x41\x0a\0\0\0\x01\0\0\0\x01\0\0\0\0", 14),
            (b"\x02\x01\0\0", 4),
            (b"\x80", 1),
            (b"\x80\x02@", 3),
            (b"\x80\x01@\0\0\0", 6),
            (b"\x81\x01@\x01\0\0\0\x01\0\0", 10),
            (b"\xc1\x01@\x01\0\0\0\x01\0\0\0\0", 12),
        ] {
            assert_eq!(refused(content), format!("Invalid cluster message (size={size})"));
        }
        assert_eq!(refused(b"\x80\0\0\0\0\0"), "Invalid cluster message: empty name (size=6)");
        assert_eq!(
            refused(b"\x01\x0a\0\0\0\x09\0\0\0\0\0\0\0"),
            "Invalid cluster message: total size 0 (session 9)"
        );
    }

    #[test]
    #[should_panic(expected = "a name of 256 bytes (limit 1..=255)")]
    fn a_name_that_no_frame_can_hold_is_not_sent() {
        encode_single(&mut Vec::new(), Address::Name(&[b'n'; 256]), 1, b"");
    }
}
