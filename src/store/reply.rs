//! Replies: what a command answers, and its bytes in RESP2.
//!
//! Invariant: an error is one line, whatever a client made part of it.

use std::borrow::Cow;
use std::fmt;

use super::number::write_integer;

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A status such as `OK`.
    Status(Cow<'static, str>),
    /// An integer.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// No string.
    Nil,
    /// No array.
    NilArray,
    /// An array.
    Array(Vec<Reply>),
    /// An error within an array, as `EXEC` gives them.
    Error(Failure),
    /// One reply after the other, as `SUBSCRIBE` gives them; none at all if empty.
    Several(Vec<Reply>),
}

/// A reply, or why there is none.
pub type Answer = Result<Reply, Failure>;

impl Reply {
    /// `OK`.
    pub const OK: Self = Self::Status(Cow::Borrowed("OK"));
    /// Nothing is sent.
    pub const NOTHING: Self = Self::Several(Vec::new());

    /// A string from what can be borrowed as bytes.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(bytes.as_ref().to_vec())
    }

    /// A string if there is one.
    pub fn maybe(bytes: Option<impl AsRef<[u8]>>) -> Self {
        bytes.map_or(Self::Nil, Self::bulk)
    }

    /// 1 or 0.
    pub fn truth(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }

    /// A number of things.
    pub fn count(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// An array of strings.
    pub fn strings(strings: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self::Array(strings.into_iter().map(Self::bulk).collect())
    }

    /// Appends the bytes of the reply.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Status(text) => line(b'+', text.as_bytes(), out),
            Self::Integer(value) => head(b':', *value, out),
            Self::Bulk(bytes) => {
                head(b'$', length(bytes.len()), out);
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Nil => out.extend_from_slice(b"$-1\r\n"),
            Self::NilArray => out.extend_from_slice(b"*-1\r\n"),
            Self::Array(items) => {
                head(b'*', length(items.len()), out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Error(failure) => failure.write(out),
            Self::Several(replies) => replies.iter().for_each(|reply| reply.write(out)),
        }
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn head(mark: u8, value: i64, out: &mut Vec<u8>) {
    out.push(mark);
    write_integer(value, out);
    out.extend_from_slice(b"\r\n");
}

fn line(mark: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(mark);
    let one_line = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
    out.extend(text.iter().map(one_line));
    out.extend_from_slice(b"\r\n");
}

/// An error reply: a code word and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Cow<'static, [u8]>);

impl Failure {
    /// An error with a fixed text, its code included.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// An error with a text made for it, its code included.
    pub fn of(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// The text with its code.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    fn write(&self, out: &mut Vec<u8>) {
        line(b'-', &self.0, out);
    }

    /// The wrong number of arguments for a command.
    pub fn arity(command: &str) -> Self {
        Self::of(format!("ERR wrong number of arguments for '{command}' command"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Failure {}

/// A key holds another type.
pub const WRONG_TYPE: Failure =
    Failure::new("WRONGTYPE Operation against a key holding the wrong kind of value");
/// An argument is no integer.
pub const NO_INTEGER: Failure = Failure::new("ERR value is not an integer or out of range");
/// An argument is no float.
pub const NO_FLOAT: Failure = Failure::new("ERR value is not a valid float");
/// Options that do not fit together or do not exist.
pub const SYNTAX: Failure = Failure::new("ERR syntax error");
/// There is no such key.
pub const NO_KEY: Failure = Failure::new("ERR no such key");
/// An argument may not be negative.
pub const NOT_POSITIVE: Failure = Failure::new("ERR value is out of range, must be positive");
/// An index is beyond the end.
pub const NO_INDEX: Failure = Failure::new("ERR index out of range");
/// A counter would not fit.
pub const OVERFLOW: Failure = Failure::new("ERR increment or decrement would overflow");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_the_bytes_of_resp() {
        let reply = Reply::Array(vec![
            Reply::OK,
            Reply::Integer(-7),
            Reply::bulk("a\r\n"),
            Reply::Nil,
            Reply::NilArray,
            Reply::Error(Failure::of("ERR a\r\nb")),
            Reply::Several(vec![Reply::truth(true), Reply::count(2)]),
        ]);
        let mut out = Vec::new();
        reply.write(&mut out);
        let expected = "*7\r\n+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n-ERR a  b\r\n:1\r\n:2\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        Reply::NOTHING.write(&mut out);
        assert!(out.is_empty());
    }
}
