//! The chunked coding: a body in pieces, each with its size in front.
//!
//! Invariant: lines end in CR LF and nothing else here, and a size is hexadecimal digits.
//! Not here: the fields behind the last chunk; their bytes are handed on as they are.

use std::ops::Range;

use httparse::Status;

use super::Refusal;
use super::head::HEAD_LIMIT;

/// Bytes of the line with a chunk's size, with its extension.
pub const CHUNK_LINE_LIMIT: usize = 256;

const LINE_END: &[u8] = b"\r\n";
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// What is to come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The line with a chunk's size.
    Size,
    /// So many bytes of a chunk; never 0.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// The fields behind the last chunk, and an empty line.
    Trailer,
    /// Nothing: the body is whole.
    Done,
}

/// What one step took from the front of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The phase after it.
    pub phase: Phase,
    /// How many bytes were used up.
    pub used: usize,
    /// Those of them that belong to the body, or are fields behind it when the phase is `Done`.
    pub content: Range<usize>,
}

/// Takes one piece off `input`. `None` means "read more bytes, then ask again".
///
/// # Errors
/// When the bytes are no chunked body.
pub fn step(phase: Phase, input: &[u8]) -> Result<Option<Step>, Refusal> {
    let step = match phase {
        Phase::Size => size(input)?,
        Phase::Data(_) if input.is_empty() => None,
        Phase::Data(left) => {
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            let left = left - used as u64;
            let phase = if left == 0 { Phase::DataEnd } else { Phase::Data(left) };
            Some(Step { phase, used, content: 0..used })
        }
        Phase::DataEnd => match *input {
            [b'\r', b'\n', ..] => Some(Step { phase: Phase::Size, used: 2, content: 0..0 }),
            [] | [b'\r'] => None,
            _ => return Err(Refusal::Malformed),
        },
        Phase::Trailer => trailer(input)?,
        Phase::Done => None,
    };
    Ok(step)
}

/// What was made of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The phase after it.
    pub phase: Phase,
    /// How many bytes were used up.
    pub used: usize,
    /// How many bytes of the body were written.
    pub written: usize,
    /// Where in the input the fields behind the last chunk are, with their empty line.
    pub trailer: Range<usize>,
}

/// Takes as much off `input` as there is and writes the body's part of it to `out`, which is at
/// least as long.
///
/// # Errors
/// When the bytes are no chunked body.
pub fn decode(mut phase: Phase, input: &[u8], out: &mut [u8]) -> Result<Decoded, Refusal> {
    let (mut used, mut written) = (0, 0);
    while let Some(step) = step(phase, &input[used..])? {
        let content = used + step.content.start..used + step.content.end;
        phase = step.phase;
        used += step.used;
        if phase == Phase::Done {
            return Ok(Decoded { phase, used, written, trailer: content });
        }
        out[written..written + content.len()].copy_from_slice(&input[content.clone()]);
        written += content.len();
    }
    Ok(Decoded { phase, used, written, trailer: 0..0 })
}

fn size(input: &[u8]) -> Result<Option<Step>, Refusal> {
    // httparse takes a line without digits for the size 0.
    if input.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
        return Err(Refusal::Malformed);
    }
    let line = &input[..input.len().min(CHUNK_LINE_LIMIT)];
    match httparse::parse_chunk_size(line) {
        Ok(Status::Complete((used, size))) => {
            // A line feed inside an extension is a line end to some other readers.
            if line[..used - LINE_END.len()].contains(&b'\n') || i64::try_from(size).is_err() {
                return Err(Refusal::Malformed);
            }
            let phase = if size == 0 { Phase::Trailer } else { Phase::Data(size) };
            Ok(Some(Step { phase, used, content: 0..0 }))
        }
        Ok(Status::Partial) if input.len() < CHUNK_LINE_LIMIT => Ok(None),
        _ => Err(Refusal::Malformed),
    }
}

fn trailer(input: &[u8]) -> Result<Option<Step>, Refusal> {
    let end = if input.starts_with(LINE_END) {
        Some(LINE_END.len())
    } else {
        let window = &input[..input.len().min(HEAD_LIMIT)];
        let found = window.windows(EMPTY_LINE.len()).position(|bytes| bytes == EMPTY_LINE);
        found.map(|at| at + EMPTY_LINE.len())
    };
    match end {
        Some(used) => Ok(Some(Step { phase: Phase::Done, used, content: 0..used })),
        None if input.len() >= HEAD_LIMIT => Err(Refusal::TooLarge),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type BodyAndRest = (Vec<u8>, Vec<u8>);

    /// `None` when more is needed.
    fn unchunk(input: &[u8]) -> Result<Option<BodyAndRest>, Refusal> {
        let mut body = vec![0; input.len()];
        let done = decode(Phase::Size, input, &mut body)?;
        body.truncate(done.written);
        Ok((done.phase == Phase::Done).then(|| (body, input[done.used..].to_vec())))
    }

    fn text(input: &str) -> Result<Option<String>, Refusal> {
        Ok(unchunk(input.as_bytes())?.map(|(body, _)| String::from_utf8(body).unwrap()))
    }

    #[test]
    fn chunks_are_joined_up_to_the_last() {
        let input = b"5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\n\r\nGET";
        let expected = (b"hello world".to_vec(), b"GET".to_vec());
        assert_eq!(unchunk(input), Ok(Some(expected)));
        let trailed = "A \r\n0123456789\r\n00\r\nX: y\r\nZ: 1\r\n\r\n";
        assert_eq!(text(trailed), Ok(Some("0123456789".to_owned())));
        let end = decode(Phase::Trailer, b"X: y\r\n\r\nGET", &mut [0; 11]).unwrap();
        assert_eq!((end.used, end.trailer), (8, 0..8));
        assert_eq!(text("5\r\nhel"), Ok(None));
        assert_eq!(text("5\r\nhello\r\n0\r\nX: y\r\n"), Ok(None));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for input in [
            "\r\n",
            "xyz\r\n",
            "-5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n",
            "10000000000000000\r\n",
            "8000000000000000\r\n",
            "5;a\nb\r\nhello\r\n",
            "5 5\r\n",
        ] {
            assert_eq!(text(input), Err(Refusal::Malformed), "{input:?}");
        }
        let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(CHUNK_LINE_LIMIT));
        assert_eq!(text(&extension), Err(Refusal::Malformed));
        let trailer = format!("0\r\nx: {}\r\n\r\n", "x".repeat(HEAD_LIMIT));
        assert_eq!(text(&trailer), Err(Refusal::TooLarge));
    }
}
