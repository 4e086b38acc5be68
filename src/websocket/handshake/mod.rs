//! The opening handshake (RFC 6455, chapter 4), pure functions over bytes.
//!
//! Invariant: whatever arrives gets an answer of HTTP, and is bounded before that.

pub mod client;
pub mod server;

use super::event::Headers;

/// Longest head of a request or an answer; that of skynet's HTTP.
pub const HEAD: usize = 8 << 10;

/// Most lines in a head.
const LINES: usize = 100;

/// Where the head ends in `bytes`, of which the first `seen` were looked at before.
pub(super) fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    memchr::memmem::find(&bytes[from..], b"\r\n\r\n").map(|at| from + at + 4)
}

fn headers_of(parsed: &[httparse::Header<'_>]) -> Headers {
    let header =
        |header: &httparse::Header<'_>| (header.name.to_ascii_lowercase(), header.value.to_vec());
    parsed.iter().map(header).collect()
}

/// The values of a header, all of them.
fn values<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_slice())
}

/// The value of a header that may be there once.
fn single<'a>(headers: &'a Headers, name: &'a str) -> Result<Option<&'a [u8]>, String> {
    let mut all = values(headers, name);
    let first = all.next();
    if all.next().is_some() {
        return Err(format!("more than one {name}"));
    }
    Ok(first.map(<[u8]>::trim_ascii))
}

/// The words of a header that is a list, over all its lines.
fn words<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    values(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

fn has_word(headers: &Headers, name: &str, word: &str) -> bool {
    words(headers, name).any(|other| other.eq_ignore_ascii_case(word.as_bytes()))
}
