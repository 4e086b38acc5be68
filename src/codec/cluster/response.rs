//! Frames of the called side: a session, a code byte, then the code's fields.
//!
//! Invariant: the same as for requests (`request.rs`).
//! Not here: in which order answers go out.

use super::{LENGTH_BYTES, Malformed, PART, PART_HEAD};
use super::{frame_length, only_total, split_u32};

const ERROR: u8 = 0;
const OK: u8 = 1;
const BEGIN: u8 = 2;
const MIDDLE_PART: u8 = 3;
const LAST_PART: u8 = 4;

/// One decoded response frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Response<'a> {
    /// The request failed.
    Error {
        /// The request's session.
        session: u32,
        /// Why, as plain text.
        text: &'a [u8],
    },
    /// The answer, in one frame.
    Ok {
        /// The request's session.
        session: u32,
        /// The packed results.
        body: &'a [u8],
    },
    /// An answer that follows in parts.
    Begin {
        /// The request's session.
        session: u32,
        /// Bytes of the body, at least 1.
        total: u32,
    },
    /// A part of an answer.
    Part {
        /// The request's session.
        session: u32,
        /// The part.
        bytes: &'a [u8],
        /// True for the part that ends the body.
        last: bool,
    },
}

/// Decodes the content of a response frame.
///
/// # Errors
/// When it is shorter or longer than its code allows, has an unknown code, or begins an answer of
/// no bytes.
pub fn decode_response(content: &[u8]) -> Result<Response<'_>, Malformed> {
    let wrong_size = Malformed::Size { size: content.len() };
    let (session, fields) = split_u32(content).ok_or(wrong_size)?;
    let (&code, fields) = fields.split_first().ok_or(wrong_size)?;
    Ok(match code {
        ERROR => Response::Error { session, text: fields },
        OK => Response::Ok { session, body: fields },
        BEGIN => {
            let total = only_total(fields, session).ok_or(wrong_size)??;
            Response::Begin { session, total }
        }
        MIDDLE_PART | LAST_PART => {
            Response::Part { session, bytes: fields, last: code == LAST_PART }
        }
        _ => return Err(Malformed::ResponseCode { code, session }),
    })
}

/// Appends an answer in one frame.
///
/// # Panics
/// When the frame exceeds 65,535 bytes; a body of at most `PART` bytes always fits.
pub fn encode_ok(out: &mut Vec<u8>, session: u32, body: &[u8]) {
    put_frame(out, session, OK, body);
}

/// Appends the news that a request failed. Of `text`, the first `PART` bytes go.
pub fn encode_error(out: &mut Vec<u8>, session: u32, text: &[u8]) {
    put_frame(out, session, ERROR, &text[..text.len().min(PART)]);
}

/// Appends the begin of an answer whose body of `total` bytes follows in parts.
pub fn encode_response_begin(out: &mut Vec<u8>, session: u32, total: u32) {
    put_frame(out, session, BEGIN, &total.to_le_bytes());
}

/// What precedes a part of `length` bytes, so that the part can be written from where it lies.
///
/// # Panics
/// When the frame exceeds 65,535 bytes; a part of at most `PART` bytes always fits.
pub fn response_part_head(session: u32, length: usize, last: bool) -> [u8; PART_HEAD] {
    head(session, if last { LAST_PART } else { MIDDLE_PART }, length)
}

/// Length, session and code of a frame with `rest` bytes behind them.
fn head(session: u32, code: u8, rest: usize) -> [u8; PART_HEAD] {
    let [high, low] = frame_length(PART_HEAD - LENGTH_BYTES + rest);
    let [a, b, c, d] = session.to_le_bytes();
    [high, low, a, b, c, d, code]
}

fn put_frame(out: &mut Vec<u8>, session: u32, code: u8, fields: &[u8]) {
    out.reserve(PART_HEAD + fields.len());
    out.extend_from_slice(&head(session, code, fields.len()));
    out.extend_from_slice(fields);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cluster::split_frame;

    fn frame(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(&mut frame);
        frame
    }

    #[test]
    fn answers_have_the_bytes_of_the_reference() {
        assert_eq!(frame(|out| encode_ok(out, 1, &[9])), *b"\0\x06\x01\0\0\0\x01\x09");
        assert_eq!(frame(|out| encode_error(out, 1, b"x")), *b"\0\x06\x01\0\0\0\0x");
        let begin = frame(|out| encode_response_begin(out, 7, 40_000));
        assert_eq!(begin, *b"\0\x09\x07\0\0\0\x02\x40\x9c\0\0");
        assert_eq!(response_part_head(7, 0x8000, false), *b"\x80\x05\x07\0\0\0\x03");
        assert_eq!(response_part_head(7, 7232, true), *b"\x1c\x45\x07\0\0\0\x04");
    }

    #[test]
    fn answers_come_back() {
        let decoded = |content| decode_response(content).unwrap();
        assert_eq!(decoded(b"\x01\0\0\0\x01\x09"), Response::Ok { session: 1, body: b"\x09" });
        assert_eq!(decoded(b"\x01\0\0\0\0"), Response::Error { session: 1, text: b"" });
        let begin = Response::Begin { session: 7, total: 40_000 };
        assert_eq!(decoded(b"\x07\0\0\0\x02\x40\x9c\0\0"), begin);
        let part = |last| Response::Part { session: 7, bytes: b"xy", last };
        assert_eq!(decoded(b"\x07\0\0\0\x03xy"), part(false));
        assert_eq!(decoded(b"\x07\0\0\0\x04xy"), part(true));
    }

    #[test]
    fn a_long_error_text_is_cut() {
        let bytes = frame(|out| encode_error(out, 2, &vec![b'e'; PART + 1]));
        let (content, _) = split_frame(&bytes).unwrap();
        let text = &vec![b'e'; PART][..];
        assert_eq!(decode_response(content), Ok(Response::Error { session: 2, text }));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let refused = |content: &[u8]| decode_response(content).unwrap_err().to_string();
        assert_eq!(refused(b""), "Invalid cluster message (size=0)");
        assert_eq!(refused(b"\x01\0\0\0"), "Invalid cluster message (size=4)");
        assert_eq!(refused(b"\x01\0\0\0\x02\x01\0\0"), "Invalid cluster message (size=8)");
        assert_eq!(refused(b"\x01\0\0\0\x02\x01\0\0\0\0"), "Invalid cluster message (size=10)");
        assert_eq!(refused(b"\x01\0\0\0\x05"), "Invalid cluster response code 5 (session 1)");
        assert_eq!(
            refused(b"\x01\0\0\0\x02\0\0\0\0"),
            "Invalid cluster message: total size 0 (session 1)"
        );
    }
}
