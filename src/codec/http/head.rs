//! Heads: the start line, and the header fields behind it.
//!
//! The start lines are read here and not by httparse, because skynet takes what httparse does not:
//! request targets with blanks inside, in any encoding, and status lines without a reason. Lines
//! may end in a bare LF. A line that begins with a tab continues the value above it, as skynet
//! joins them: without the tab and without a blank. One that begins with a blank is refused.
//!
//! Invariant: names come out in lower case, values without blanks around them, and neither holds a
//! control character other than a tab.

use httparse::{EMPTY_HEADER, Header, Status};

use super::Refusal;

/// Bytes of a request's head, as in skynet.
pub const HEAD_LIMIT: usize = 8192;
/// Bytes of a response's head: a client chose its server, and some of those set large cookies.
pub const RESPONSE_HEAD_LIMIT: usize = 32 * 1024;
/// Header fields of one message; browsers send fewer than thirty.
pub const FIELD_LIMIT: usize = 256;

/// The header fields of a message, in their order.
#[derive(Debug)]
pub struct Fields<'a> {
    list: [Header<'a>; FIELD_LIMIT],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Name in lower case and value of each field.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.list[..self.count].iter().map(|field| (field.name, field.value))
    }

    fn parse(lines: &'a [u8]) -> Result<Self, Refusal> {
        let mut list = [EMPTY_HEADER; FIELD_LIMIT];
        match httparse::parse_headers(lines, &mut list) {
            Ok(Status::Complete((end, fields))) if end == lines.len() => {
                let count = fields.len();
                Ok(Self { list, count })
            }
            Err(httparse::Error::TooManyHeaders) => Err(Refusal::TooLarge),
            _ => Err(Refusal::Malformed),
        }
    }
}

/// The head of a request.
#[derive(Debug)]
pub struct Request<'a> {
    /// A token, in the letters that came.
    pub method: &'a [u8],
    /// What stands between method and version, not decoded. Never empty.
    pub target: &'a [u8],
    /// 0 or 1, of HTTP/1.0 and HTTP/1.1.
    pub minor: u8,
    /// The header fields.
    pub fields: Fields<'a>,
    /// Where the head ends and the body begins.
    pub end: usize,
}

/// The head of a response.
#[derive(Debug)]
pub struct Response<'a> {
    /// Three digits.
    pub status: u16,
    /// The text behind the status, often empty.
    pub reason: &'a [u8],
    /// True when the version is 1.1, or later.
    pub at_least_1_1: bool,
    /// The header fields.
    pub fields: Fields<'a>,
    /// Where the head ends and the body begins.
    pub end: usize,
}

/// Where the head that `input` begins with ends: behind its empty line. `known` bytes from the
/// start were seen before and had no end in them. Empty lines in front of a head do not end it.
pub fn find_end(input: &[u8], known: usize) -> Option<usize> {
    let start = blank_lines(input).max(known.min(input.len()).saturating_sub(3));
    let mut from = start;
    while let Some(at) = input[from..].iter().position(|byte| *byte == b'\n') {
        from += at + 1;
        match input[from..] {
            [b'\n', ..] => return Some(from + 1),
            [b'\r', b'\n', ..] => return Some(from + 2),
            _ => {}
        }
    }
    None
}

/// Length of the empty lines at the start.
fn blank_lines(input: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match input[at..] {
            [b'\n', ..] => at += 1,
            [b'\r', b'\n', ..] => at += 2,
            _ => return at,
        }
    }
}

/// As `find_end`, within `limit` bytes. `None` means "read more bytes, then ask again".
fn bounded_end(input: &[u8], known: usize, limit: usize) -> Result<Option<usize>, Refusal> {
    match find_end(&input[..input.len().min(limit)], known) {
        None if input.len() >= limit => Err(Refusal::TooLarge),
        end => Ok(end),
    }
}

/// Reads the head of a request from the start of `input`, of which `known` bytes were seen before.
/// `None` means "read more bytes, then ask again". `scratch` holds the fields; a head may be as
/// long as that.
///
/// # Errors
/// When no more bytes can make a request of it that is accepted.
pub fn request<'a>(
    input: &'a [u8],
    known: usize,
    scratch: &'a mut [u8],
) -> Result<Option<Request<'a>>, Refusal> {
    let Some(end) = bounded_end(input, known, scratch.len())? else { return Ok(None) };
    let (line, lines) = first_line(&input[..end]);
    let mut words = line.splitn(2, is_blank);
    let (method, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut words = rest.rsplitn(2, is_blank);
    let (version, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let target = trim(target);
    let (major, minor) = version_of(version).ok_or(Refusal::Malformed)?;
    let printable = target.iter().all(|byte| !byte.is_ascii_control());
    if !is_token(method) || target.is_empty() || !printable {
        return Err(Refusal::Malformed);
    }
    let (1, minor @ (0 | 1)) = (major, minor) else { return Err(Refusal::Version) };
    let fields = Fields::parse(unfold(lines, scratch)?)?;
    Ok(Some(Request { method, target, minor, fields, end }))
}

/// Reads the head of a response; otherwise as `request`.
///
/// # Errors
/// When no more bytes can make a response of it that is accepted.
pub fn response<'a>(
    input: &'a [u8],
    known: usize,
    scratch: &'a mut [u8],
) -> Result<Option<Response<'a>>, Refusal> {
    let Some(end) = bounded_end(input, known, scratch.len())? else { return Ok(None) };
    let (line, lines) = first_line(&input[..end]);
    let mut words = line.splitn(2, is_blank);
    let version = words.next().and_then(version_of).ok_or(Refusal::Malformed)?;
    let rest = trim(words.next().unwrap_or_default());
    let (status, reason) = rest.split_at_checked(3).ok_or(Refusal::Malformed)?;
    let separated = reason.first().is_none_or(is_blank);
    let printable = reason.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t');
    if !separated || !printable || !status.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed);
    }
    let status = status.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let fields = Fields::parse(unfold(lines, scratch)?)?;
    let at_least_1_1 = version >= (1, 1);
    Ok(Some(Response { status, reason: trim(reason), at_least_1_1, fields, end }))
}

/// Reads header fields alone: lines, each with its end, and an empty line behind them. Lines that
/// do not fit in `scratch` are too large.
///
/// # Errors
/// When they are no header fields, or too large.
pub fn block<'a>(lines: &[u8], scratch: &'a mut [u8]) -> Result<Fields<'a>, Refusal> {
    if lines.len() > scratch.len() {
        return Err(Refusal::TooLarge);
    }
    Fields::parse(unfold(lines, scratch)?)
}

/// The first line that is not empty, without its end, and what is behind it.
fn first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let head = &head[blank_lines(head)..];
    let end = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1);
    let (line, rest) = head.split_at(end);
    (without_end(line), rest)
}

/// Copies header lines: names in lower case, continued values on one line. What is written is never
/// longer than what was read.
fn unfold<'s>(lines: &[u8], scratch: &'s mut [u8]) -> Result<&'s [u8], Refusal> {
    let mut length = 0;
    let mut ending = 0;
    for (index, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let copied = match line {
            [b' ', ..] => return Err(Refusal::Malformed),
            [b'\t', ..] if index == 0 => return Err(Refusal::Malformed),
            [b'\t', rest @ ..] => {
                length -= ending;
                rest
            }
            _ => line,
        };
        let place = &mut scratch[length..length + copied.len()];
        place.copy_from_slice(copied);
        if copied.len() == line.len() {
            let name = place.iter().position(|byte| *byte == b':').unwrap_or(0);
            place[..name].make_ascii_lowercase();
        }
        length += copied.len();
        ending = copied.len() - without_end(copied).len();
    }
    Ok(&scratch[..length])
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Major and minor number of `HTTP/1.1`; a missing minor number is 0.
fn version_of(word: &[u8]) -> Option<(u8, u8)> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    match *word.strip_prefix(b"HTTP/")? {
        [major] => Some((digit(major)?, 0)),
        [major, b'.', minor] => Some((digit(major)?, digit(minor)?)),
        _ => None,
    }
}

const fn is_blank(byte: &u8) -> bool {
    matches!(*byte, b' ' | b'\t')
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// True for what may be a method or the name of a field.
pub fn is_token(word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !word.is_empty() && word.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = (Vec<u8>, Vec<u8>, Vec<(String, Vec<u8>)>, usize);

    fn told(input: &[u8]) -> Result<Option<Told>, Refusal> {
        let mut scratch = [0; HEAD_LIMIT];
        let head = request(input, 0, &mut scratch)?;
        Ok(head.map(|head| {
            let fields = head.fields.iter().map(|(name, value)| (name.into(), value.into()));
            (head.method.into(), head.target.into(), fields.collect(), head.end)
        }))
    }

    fn target(input: &str) -> Result<String, Refusal> {
        let (_, target, ..) = told(input.as_bytes())?.expect("the head is whole");
        Ok(String::from_utf8(target).unwrap())
    }

    fn fields(lines: &str) -> Result<Vec<(String, String)>, Refusal> {
        let (_, _, fields, _) =
            told(format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes())?.expect("the head is whole");
        Ok(fields
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
            .collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_head_ends_behind_its_empty_line() {
        assert_eq!(find_end(b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest", 0), Some(24));
        assert_eq!(find_end(b"GET / HTTP/1.1\nA: b\n\nrest", 0), Some(21));
        assert_eq!(find_end(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", 0), Some(22));
        assert_eq!(find_end(b"\r\n\r\n", 0), None);
        assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r", 0), None);
        assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r\n", 17), Some(18));
    }

    #[test]
    fn names_are_in_lower_case_and_values_trimmed() {
        let expected = vec![pair("content-type", "Text/Plain"), pair("x", ""), pair("x", "2 3")];
        assert_eq!(fields("Content-TYPE: \t Text/Plain \r\nX:\r\nx:2 3\r\n"), Ok(expected));
    }

    #[test]
    fn a_line_that_begins_with_a_tab_continues_the_value() {
        assert_eq!(
            fields("a: 1\r\n\t2\r\n\t 3: x\r\nb: 4\r\n"),
            Ok(vec![pair("a", "12 3: x"), pair("b", "4")])
        );
        assert_eq!(fields("a: 1\n\tTWO\nb: 4\n"), Ok(vec![pair("a", "1TWO"), pair("b", "4")]));
        assert_eq!(fields("\tno field before\r\n"), Err(Refusal::Malformed));
        assert_eq!(fields("a: 1\r\n 2\r\n"), Err(Refusal::Malformed));
    }

    #[test]
    fn lines_may_end_in_a_bare_line_feed() {
        let (_, target, fields, end) = told(b"GET /x HTTP/1.1\na: 1\nb: 2\n\n").unwrap().unwrap();
        assert_eq!((target, fields.len(), end), (b"/x".to_vec(), 2, 27));
    }

    #[test]
    fn a_target_is_what_stands_between_method_and_version() {
        assert_eq!(target("GET /a b  HTTP/1.1\r\n\r\n"), Ok("/a b".into()));
        assert_eq!(target("GET   /路径?q=值 HTTP/1.0\r\n\r\n"), Ok("/路径?q=值".into()));
        assert_eq!(target("GET http://host/x HTTP/1.1\r\n\r\n"), Ok("http://host/x".into()));
        assert_eq!(target("OPTIONS * HTTP/1.1\r\n\r\n"), Ok("*".into()));
    }

    #[test]
    fn bad_request_lines_are_refused() {
        for line in [
            "GET",
            "GET /",
            "GET  HTTP/1.1",
            "G@T / HTTP/1.1",
            "GET / http/1.1",
            " GET / HTTP/1.1",
            "GET /\u{1} HTTP/1.1",
            "GET /\0 HTTP/1.1",
            "GET / HTTP/1.1x",
            "GET / HTTP/x.y",
            "\u{16}\u{3}\u{1}",
            ": / HTTP/1.1 ",
        ] {
            assert_eq!(target(&format!("{line}\r\n\r\n")), Err(Refusal::Malformed), "{line:?}");
        }
        for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2"] {
            assert_eq!(
                target(&format!("GET / {version}\r\n\r\n")),
                Err(Refusal::Version),
                "{version}"
            );
        }
    }

    #[test]
    fn bad_fields_are_refused() {
        for line in [
            "no colon",
            "a b: c",
            "a : b",
            ": b",
            "a: b\rc",
            "a: \0",
            "a: b\u{7f}",
            "ä: b",
            "a: b\r",
        ] {
            assert_eq!(fields(&format!("{line}\r\n")), Err(Refusal::Malformed), "{line:?}");
        }
    }

    #[test]
    fn a_head_beyond_the_limit_is_refused_as_soon_as_that_is_clear() {
        let line = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(length - 18));
        assert!(told(line(HEAD_LIMIT).as_bytes()).unwrap().is_some());
        assert_eq!(told(line(HEAD_LIMIT + 1).as_bytes()), Err(Refusal::TooLarge));
        assert_eq!(told(&[b'x'; HEAD_LIMIT]), Err(Refusal::TooLarge));
        assert_eq!(told(&[b'x'; HEAD_LIMIT - 1]), Ok(None));
        assert_eq!(fields(&"a:\r\n".repeat(FIELD_LIMIT)).map(|list| list.len()), Ok(FIELD_LIMIT));
        assert_eq!(fields(&"a:\r\n".repeat(FIELD_LIMIT + 1)), Err(Refusal::TooLarge));
    }

    #[test]
    fn a_status_line_may_lack_its_reason() {
        let status = |line: &str| {
            let mut scratch = [0; RESPONSE_HEAD_LIMIT];
            let input = format!("{line}\r\n\r\n");
            let head = response(input.as_bytes(), 0, &mut scratch)?.expect("the head is whole");
            let reason = String::from_utf8(head.reason.into()).unwrap();
            Ok((head.status, reason, head.at_least_1_1))
        };
        assert_eq!(status("HTTP/1.1 200 All is well "), Ok((200, "All is well".into(), true)));
        assert_eq!(status("HTTP/1.0 404"), Ok((404, String::new(), false)));
        assert_eq!(status("HTTP/2  204 "), Ok((204, String::new(), true)));
        for line in [
            "HTTP/1.1",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
            "HTTP/1.1 +20",
            "ICY 200 OK",
            "200 OK",
            "HTTP/1.1 200 \0",
        ] {
            assert_eq!(status(line), Err(Refusal::Malformed), "{line:?}");
        }
    }

    #[test]
    fn fields_stand_alone_too() {
        let mut scratch = [0; 32];
        let fields = block(b"A: 1\r\n\r\n", &mut scratch).unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", &b"1"[..])]);
        assert_eq!(
            block(b"a: 1\r\n\r\nb: 2\r\n\r\n", &mut scratch).err(),
            Some(Refusal::Malformed)
        );
        assert_eq!(block(b"a: 1\r\n", &mut scratch).err(), Some(Refusal::Malformed));
        assert_eq!(block(&[b'a'; 33], &mut scratch).err(), Some(Refusal::TooLarge));
    }
}
