//! Replies: where one ends, what is in it, and writing one.
//!
//! Invariant: what `Scanner` calls a reply, `Reader` reads without an error. No length that a peer
//! announces is believed before its bytes are there.
//! Not here: what to do with a reply.

use memchr::memchr;
use thiserror::Error;

/// Deepest nesting of arrays. Redis itself nests about six; scripts there can nest further.
pub const MAX_DEPTH: usize = 128;

/// Bytes shown of something that is no reply.
const SHOWN: usize = 32;

/// Longest line with a number: its type, the sign and digits of 64 bits, its end.
const LENGTH_LINE: usize = 24;

/// Why bytes are no reply.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    /// It begins with something else.
    #[error("\"{0}\" is no RESP2 reply")]
    Type(Box<str>),
    /// A length or an integer is none.
    #[error("\"{0}\" is no number of RESP2")]
    Number(Box<str>),
    /// A bulk string does not end where it should.
    #[error("a string does not end where its length says")]
    Unterminated,
    /// Arrays within arrays within arrays.
    #[error("arrays are nested deeper than {MAX_DEPTH}")]
    Depth,
    /// It is longer than may be.
    #[error("a reply of {0} bytes or more")]
    TooLong(usize),
}

fn shown(bytes: &[u8]) -> Box<str> {
    bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string().into()
}

/// Finds the end of a reply that arrives in pieces, without looking at a byte twice.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Where the next value begins.
    at: usize,
    /// How far the line there was searched for its end.
    searched: usize,
    /// Values that are still to come of each open array.
    open: Vec<u64>,
}

impl Scanner {
    /// Looks for the end of the first reply in `input`; gives its length, or nothing while it is
    /// not complete. Then the next call gets the same bytes with more behind them.
    ///
    /// # Errors
    /// When there is no reply, or one of more than `limit` bytes.
    pub fn scan(&mut self, input: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
        loop {
            let Some((end, opened)) = self.value(input, limit)? else {
                let needed = self.needed(input);
                return if needed > limit { Err(Malformed::TooLong(needed)) } else { Ok(None) };
            };
            if end > limit {
                return Err(Malformed::TooLong(end));
            }
            self.at = end;
            self.searched = end;
            if !opened && self.close_full() {
                self.at = 0;
                self.searched = 0;
                return Ok(Some(end));
            }
        }
    }

    /// A value is complete, and with it perhaps the arrays around it. True when nothing is open.
    fn close_full(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    /// Bytes that the reply has at least, as far as is known from `input`.
    pub fn needed(&self, input: &[u8]) -> usize {
        let line = &input[self.at.min(input.len())..];
        let bulk = match memchr(b'\n', &line[..line.len().min(LENGTH_LINE)]) {
            Some(end) if line[0] == b'$' => match number(&line[1..end.saturating_sub(1).max(1)]) {
                Some(length @ 0..) => end + 1 + usize::try_from(length).unwrap_or(0) + 2,
                _ => 0,
            },
            _ => 0,
        };
        (self.at + bulk).max(input.len())
    }

    /// The end of the value at `at`. Of an array with values it is the end of the head, and true.
    fn value(&mut self, input: &[u8], limit: usize) -> Result<Option<(usize, bool)>, Malformed> {
        let Some(kind) = input.get(self.at) else { return Ok(None) };
        if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
            return Err(Malformed::Type(shown(&input[self.at..])));
        }
        let from = self.searched.max(self.at + 1);
        let Some(offset) = memchr(b'\n', &input[from.min(input.len())..]) else {
            self.searched = input.len();
            if matches!(kind, b'+' | b'-') || input.len() - self.at <= LENGTH_LINE {
                return Ok(None);
            }
            return Err(Malformed::Number(shown(&input[self.at..])));
        };
        let end = from + offset + 1;
        let line = &input[self.at + 1..end - 1];
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Malformed::Type(shown(&input[self.at..])));
        };
        if matches!(kind, b'+' | b'-') {
            return Ok(Some((end, false)));
        }
        if end - self.at > LENGTH_LINE {
            return Err(Malformed::Number(shown(&input[self.at..])));
        }
        let count = number(line).ok_or_else(|| Malformed::Number(shown(line)))?;
        match kind {
            b'$' => {
                let Ok(length) = usize::try_from(count) else {
                    return if count == -1 { Ok(Some((end, false))) } else { Err(bad(line)) };
                };
                let whole = end.saturating_add(length).saturating_add(2);
                if whole > limit {
                    return Err(Malformed::TooLong(whole));
                }
                match input.get(end + length..whole) {
                    None => Ok(None),
                    Some(b"\r\n") => Ok(Some((whole, false))),
                    Some(_) => Err(Malformed::Unterminated),
                }
            }
            b'*' => match u64::try_from(count) {
                // Each value takes three bytes at least.
                Ok(count) if count > (limit / 3) as u64 => {
                    let bytes = count.saturating_mul(3);
                    Err(Malformed::TooLong(usize::try_from(bytes).unwrap_or(usize::MAX)))
                }
                Ok(count @ 1..) => {
                    if self.open.len() >= MAX_DEPTH {
                        return Err(Malformed::Depth);
                    }
                    self.open.push(count);
                    Ok(Some((end, true)))
                }
                Err(_) if count != -1 => Err(bad(line)),
                _ => Ok(Some((end, false))),
            },
            _ => Ok(Some((end, false))),
        }
    }
}

fn bad(line: &[u8]) -> Malformed {
    Malformed::Number(shown(line))
}

/// The number in decimal digits with an optional sign.
pub fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

/// One value of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// `+OK`
    Status(&'a [u8]),
    /// `-ERR …`
    Error(&'a [u8]),
    /// `:1`
    Integer(i64),
    /// A string of any bytes.
    Bulk(&'a [u8]),
    /// A missing string or array.
    Nil,
    /// So many values follow that belong to it.
    Array(usize),
}

/// Reads the values of complete replies one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// True when everything has been read.
    pub const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Passes over a whole reply; false when there is none.
    pub fn skip(&mut self) -> bool {
        let mut left = 1;
        while left > 0 {
            left -= 1;
            match self.next_item() {
                Some(Item::Array(count)) => left += count,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// The next value; nothing at the end, and for bytes that are no reply.
    #[inline]
    pub fn next_item(&mut self) -> Option<Item<'a>> {
        let (kind, rest) = self.0.split_first()?;
        let end = memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r")?;
        let rest = &rest[end + 1..];
        let item = match kind {
            b'+' => Item::Status(line),
            b'-' => Item::Error(line),
            b':' => Item::Integer(number(line)?),
            b'$' => match usize::try_from(number(line)?) {
                Err(_) => Item::Nil,
                Ok(length) => {
                    let bytes = rest.get(..length)?;
                    self.0 = rest[length..].strip_prefix(b"\r\n")?;
                    return Some(Item::Bulk(bytes));
                }
            },
            b'*' => match usize::try_from(number(line)?) {
                Err(_) => Item::Nil,
                Ok(count) => Item::Array(count),
            },
            _ => return None,
        };
        self.0 = rest;
        Some(item)
    }
}

/// Appends a type, a number and the end of the line.
pub fn put_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = length;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Appends a string.
#[inline]
pub fn put_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of an array, behind which its values come.
pub fn put_array(out: &mut Vec<u8>, count: usize) {
    put_length(out, b'*', count);
}

/// Appends an integer.
pub fn put_integer(out: &mut Vec<u8>, value: i64) {
    match usize::try_from(value) {
        Ok(value) => put_length(out, b':', value),
        Err(_) => out.extend_from_slice(format!(":{value}\r\n").as_bytes()),
    }
}

/// Appends a missing string.
pub fn put_nil(out: &mut Vec<u8>) {
    out.extend_from_slice(b"$-1\r\n");
}

/// Appends a missing array.
pub fn put_nil_array(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*-1\r\n");
}

/// Appends a status. A line break in it becomes a blank.
pub fn put_status(out: &mut Vec<u8>, text: &[u8]) {
    put_line(out, b'+', text);
}

/// Appends an error. A line break in it becomes a blank.
pub fn put_error(out: &mut Vec<u8>, text: &[u8]) {
    put_line(out, b'-', text);
}

fn put_line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
