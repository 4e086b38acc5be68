//! Requests as a server of RESP2 reads them: arrays of bulk strings, and lines of words.
//!
//! Invariant: a request is found at the same place however its bytes arrive in pieces, and no byte
//! is looked at twice for it, but for the line that is not complete yet. What is accepted, what is
//! refused and in which words is as in Redis 7.0: a `\r` ends a length, whatever follows it.
//! Not here: replies, and what a request means.

use std::fmt;
use std::ops::Range;

/// Longest line of a request: a line of words, or the length of an array or string.
pub const LINE_LIMIT: usize = 64 * 1024;
/// Most arguments of a request.
pub const ARGUMENT_LIMIT: i64 = i32::MAX as i64;
/// Most arguments from a client that has not proven itself.
pub const STRANGER_ARGUMENTS: i64 = 10;
/// Longest argument from a client that has not proven itself.
pub const STRANGER_BULK: i64 = 16 * 1024;
/// Arguments that room is made for before they have come.
const FIRST_ARGUMENTS: i64 = 1024;

/// What a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most arguments.
    pub arguments: i64,
    /// Longest argument in bytes.
    pub bulk: i64,
    /// Whether the limits are those of a client that has not proven itself; only the texts differ.
    pub stranger: bool,
}

impl Limits {
    /// For a client that may run commands, with arguments of up to `bulk` bytes.
    pub fn trusted(bulk: i64) -> Self {
        Self { arguments: ARGUMENT_LIMIT, bulk, stranger: false }
    }

    /// For a client that has still to give a password.
    pub fn stranger(bulk: i64) -> Self {
        Self { arguments: STRANGER_ARGUMENTS, bulk: bulk.min(STRANGER_BULK), stranger: true }
    }
}

/// Why the bytes of a client cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A line of words without an end.
    LongLine,
    /// The length of an array without an end.
    LongCount,
    /// The length of a string without an end.
    LongLength,
    /// An array with a length that is no number, or too large.
    Count,
    /// More arguments than a client without password may send.
    StrangerCount,
    /// A string with a length that is no number, or too large.
    Length,
    /// A longer string than a client without password may send.
    StrangerLength,
    /// Something else where a string has to begin.
    NoString(u8),
    /// A line of words with a quote that is not closed.
    Quotes,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::LongLine => "too big inline request",
            Self::LongCount => "too big mbulk count string",
            Self::LongLength => "too big bulk count string",
            Self::Count => "invalid multibulk length",
            Self::StrangerCount => "unauthenticated multibulk length",
            Self::Length => "invalid bulk length",
            Self::StrangerLength => "unauthenticated bulk length",
            Self::NoString(found) => {
                return write!(formatter, "expected '$', got '{}'", char::from(*found));
            }
            Self::Quotes => "unbalanced quotes in request",
        };
        formatter.write_str(text)
    }
}

impl std::error::Error for Malformed {}

/// How far the bytes led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A request: its arguments are in the parser, and it took this many bytes.
    Request(usize),
    /// Nothing to run (an empty line or array), which took this many bytes.
    Nothing(usize),
    /// More bytes are needed.
    More,
}

/// Finds one request after the other.
#[derive(Debug, Default)]
pub struct Parser {
    /// Where the arguments so far stand in the input.
    arguments: Vec<Range<usize>>,
    /// The arguments of a line of words, which need not stand in the input as they are.
    words: Vec<u8>,
    inline: bool,
    /// Arguments that are still missing; 0 between requests.
    missing: i64,
    /// Length of the argument that has begun.
    length: Option<usize>,
    /// Where reading goes on.
    position: usize,
}

impl Parser {
    /// A parser at the start of a request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on. `input` begins where the unfinished request begins: the bytes of earlier calls
    /// come first, those that a `Step` took are gone.
    ///
    /// # Errors
    /// When this is no request. The parser is of no use any more.
    pub fn advance(&mut self, input: &[u8], limits: Limits) -> Result<Step, Malformed> {
        if self.missing == 0 {
            match input.first() {
                None => return Ok(Step::More),
                Some(b'*') => {}
                Some(_) => return self.line(input),
            }
            let Some((count, next)) = number(input, 0, Malformed::LongCount)? else {
                return Ok(Step::More);
            };
            let count = count.filter(|count| *count <= ARGUMENT_LIMIT).ok_or(Malformed::Count)?;
            if count > limits.arguments {
                let stranger = limits.stranger;
                return Err(if stranger { Malformed::StrangerCount } else { Malformed::Count });
            }
            if count <= 0 {
                return Ok(Step::Nothing(next));
            }
            self.begin();
            let room = count.min(FIRST_ARGUMENTS);
            self.arguments.reserve(usize::try_from(room).unwrap_or_default());
            (self.missing, self.position) = (count, next);
        }
        self.strings(input, limits)
    }

    fn begin(&mut self) {
        self.arguments.clear();
        self.words.clear();
        self.inline = false;
    }

    fn strings(&mut self, input: &[u8], limits: Limits) -> Result<Step, Malformed> {
        while self.missing > 0 {
            let length = match self.length {
                Some(length) => length,
                None => match self.start_of_string(input, limits)? {
                    Some(length) => length,
                    None => return Ok(Step::More),
                },
            };
            let end = self.position + length;
            if input.len() < end + 2 {
                return Ok(Step::More);
            }
            self.arguments.push(self.position..end);
            (self.position, self.length) = (end + 2, None);
            self.missing -= 1;
        }
        Ok(Step::Request(std::mem::take(&mut self.position)))
    }

    fn start_of_string(
        &mut self,
        input: &[u8],
        limits: Limits,
    ) -> Result<Option<usize>, Malformed> {
        // Redis, too, wants the whole line before it looks at the first byte.
        let Some((length, next)) = number(input, self.position, Malformed::LongLength)? else {
            return Ok(None);
        };
        match input.get(self.position) {
            Some(b'$') | None => {}
            Some(other) => return Err(Malformed::NoString(*other)),
        }
        let length = length.filter(|length| *length >= 0).ok_or(Malformed::Length)?;
        if length > limits.bulk {
            let stranger = limits.stranger;
            return Err(if stranger { Malformed::StrangerLength } else { Malformed::Length });
        }
        let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
        (self.position, self.length) = (next, Some(length));
        Ok(Some(length))
    }

    /// A request in the form of a line, for those who type.
    fn line(&mut self, input: &[u8]) -> Result<Step, Malformed> {
        let Some(found) = memchr::memchr(b'\n', &input[self.position..]) else {
            if input.len() > LINE_LIMIT {
                return Err(Malformed::LongLine);
            }
            self.position = input.len();
            return Ok(Step::More);
        };
        let end = self.position + found;
        self.position = 0;
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        self.begin();
        self.inline = true;
        split_words(line, &mut self.words, &mut self.arguments).ok_or(Malformed::Quotes)?;
        if self.arguments.is_empty() {
            return Ok(Step::Nothing(end + 1));
        }
        Ok(Step::Request(end + 1))
    }

    /// The arguments of the request that `advance` found in `input`.
    pub fn arguments<'a>(&'a self, input: &'a [u8]) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let source = if self.inline { &self.words } else { input };
        self.arguments.iter().map(|range| &source[range.clone()])
    }

    /// Bytes from the start of the request that are needed before `advance` gets any further, as
    /// far as they are known.
    pub fn wanted(&self) -> usize {
        self.length.map_or(0, |length| self.position + length + 2)
    }
}

/// The number behind the byte at `start` and the place behind its line; the number is none if the
/// line holds something else.
fn number(
    input: &[u8],
    start: usize,
    too_long: Malformed,
) -> Result<Option<(Option<i64>, usize)>, Malformed> {
    let rest = &input[start..];
    let Some(end) = memchr::memchr(b'\r', rest).filter(|end| rest.len() > end + 1) else {
        // A long rest without an end of line is no length.
        let unfinished = memchr::memchr(b'\r', rest).is_none();
        return if unfinished && rest.len() > LINE_LIMIT { Err(too_long) } else { Ok(None) };
    };
    Ok(Some((integer(rest.get(1..end).unwrap_or_default()), start + end + 2)))
}

/// The integer that `text` is, in the one form in which it would be written.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Splits a line into words with the quoting of `redis-cli`; none when a quote stays open.
fn split_words(line: &[u8], words: &mut Vec<u8>, places: &mut Vec<Range<usize>>) -> Option<()> {
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| is_space(*byte)) {
            at += 1;
        }
        // A zero byte ends a line, as it would in C.
        if line.get(at).is_none_or(|byte| *byte == 0) {
            return Some(());
        }
        let start = words.len();
        loop {
            match line.get(at) {
                Some(b'"') => at = double_quoted(line, at + 1, words)?,
                Some(b'\'') => at = single_quoted(line, at + 1, words)?,
                Some(byte) if !is_space(*byte) && *byte != 0 => {
                    words.push(*byte);
                    at += 1;
                    continue;
                }
                _ => break,
            }
            // A closing quote ends a word.
            if line.get(at).is_some_and(|byte| !is_space(*byte)) {
                return None;
            }
            break;
        }
        places.push(start..words.len());
    }
}

/// White space of a line: that of C.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn double_quoted(line: &[u8], mut at: usize, words: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                if let [b'x', high, low] = line.get(at + 1..at + 4).unwrap_or_default()
                    && let (Some(high), Some(low)) = (hex(*high), hex(*low))
                {
                    words.push(high << 4 | low);
                    at += 4;
                    continue;
                }
                let escaped = *line.get(at + 1)?;
                words.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            other => {
                words.push(other);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, words: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'\'' => return Some(at + 1),
            b'\\' if line.get(at + 1) == Some(&b'\'') => {
                words.push(b'\'');
                at += 2;
            }
            other => {
                words.push(other);
                at += 1;
            }
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { arguments: ARGUMENT_LIMIT, bulk: 1 << 20, stranger: false };

    /// All requests of `input`, given in pieces of `size` bytes.
    fn requests(input: &[u8], size: usize) -> Result<Vec<Vec<Vec<u8>>>, Malformed> {
        let (mut parser, mut buffer, mut found) = (Parser::new(), Vec::new(), Vec::new());
        for piece in input.chunks(size.max(1)) {
            buffer.extend_from_slice(piece);
            loop {
                let taken = match parser.advance(&buffer, LIMITS)? {
                    Step::More => break,
                    Step::Nothing(taken) => taken,
                    Step::Request(taken) => {
                        found.push(parser.arguments(&buffer).map(<[u8]>::to_vec).collect());
                        taken
                    }
                };
                buffer.drain(..taken);
            }
        }
        Ok(found)
    }

    #[test]
    fn requests_are_the_same_in_pieces_of_every_size() {
        let input = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nset 'a b' \"\\x41\\n\"\r\n\r\n*0\r\n*-1\r\n\
                      *1\r\n$0\r\n\r\nPING\n";
        let expected: [&[&[u8]]; 4] =
            [&[b"GET", b"a"], &[b"set", b"a b", b"A\n"], &[b""], &[b"PING"]];
        for size in 1..input.len() {
            let found = requests(input, size).unwrap();
            assert_eq!(found.len(), expected.len(), "{size}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected, "{size}");
            }
        }
    }

    #[test]
    fn what_is_no_request_is_refused_in_the_words_of_redis() {
        for (input, text) in [
            ("*x\r\n", "invalid multibulk length"),
            ("*3000000000\r\n", "invalid multibulk length"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$ 1\r\n", "invalid bulk length"),
            ("*1\r\n$2000000\r\n", "invalid bulk length"),
            ("*1\r\n:1\r\n", "expected '$', got ':'"),
            ("*1\r\n\r\n\r\n", "expected '$', got '\r'"),
            ("get \"a\n", "unbalanced quotes in request"),
            ("get \"a\"b\n", "unbalanced quotes in request"),
            ("get 'a\n", "unbalanced quotes in request"),
        ] {
            let refused = requests(input.as_bytes(), 1000).unwrap_err();
            assert_eq!(refused.to_string(), text, "{input:?}");
        }
        let long = vec![b'1'; LINE_LIMIT + 1];
        for (start, text) in [
            ("", "too big inline request"),
            ("*", "too big mbulk count string"),
            ("*1\r\n$", "too big bulk count string"),
        ] {
            let input = [start.as_bytes(), &long].concat();
            assert_eq!(requests(&input, input.len()).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn who_has_given_no_password_sends_little() {
        let limits = Limits::stranger(1 << 29);
        let refused = Parser::new().advance(b"*11\r\n", limits).unwrap_err();
        assert_eq!(refused.to_string(), "unauthenticated multibulk length");
        let refused = Parser::new().advance(b"*1\r\n$16385\r\n", limits).unwrap_err();
        assert_eq!(refused.to_string(), "unauthenticated bulk length");
        assert_eq!(Parser::new().advance(b"*1\r\n$16384\r\n", limits), Ok(Step::More));
    }

    #[test]
    fn a_number_has_one_form() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            ("", None),
            ("-", None),
            ("1 ", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text}");
        }
    }
}
