//! Messages of the bridge: `command@name=value|name=value`, on channels and as members of sets.
//!
//! Source: docs/bridge.md, section 2. Names need no escape; in a value the bytes `@ | = %`, control
//! characters and what is not UTF-8 stand as `%` and two hexadecimal digits.
//!
//! Invariant: what is written is read back the same, and fields are written sorted by name, so that
//! equal messages are equal bytes.
//! Not here: what a command or a field means (`bridge/`).

use std::borrow::Cow;

/// Longest message in bytes. What is longer is refused at both ends.
pub const LONGEST: usize = 64 * 1024;

/// Most fields of one message.
pub const MOST_FIELDS: usize = 256;

/// Longest command, name of a field, uid, session and transfer id, in bytes.
pub const LONGEST_NAME: usize = 128;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More than `LONGEST` bytes.
    #[error("{0} bytes (a message has at most {LONGEST})")]
    TooLong(usize),
    /// A command that is empty, too long or of other characters.
    #[error("no command (1 to {LONGEST_NAME} of A-Z a-z 0-9 _ . -)")]
    Command,
    /// A field whose name is empty, too long or of other characters.
    #[error("field {0}: no name (1 to {LONGEST_NAME} of A-Z a-z 0-9 _ . - *)")]
    Name(usize),
    /// A field without `=`.
    #[error("field {0}: no `=`")]
    NoValue(usize),
    /// Two fields of one name.
    #[error("field {0}: its name was there before")]
    Twice(usize),
    /// More than `MOST_FIELDS` fields.
    #[error("{0} fields (a message has at most {MOST_FIELDS})")]
    TooMany(usize),
}

/// A message that has been taken apart; values are still escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The command.
    pub command: &'a [u8],
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Parsed<'a> {
    /// Names and values as they came, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, [u8]>)> + '_ {
        self.fields.iter().map(|&(name, value)| (name, unescape(value)))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// True when it has no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a field.
    pub fn field(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let (_, value) = self.fields.iter().find(|(other, _)| *other == name)?;
        Some(unescape(value))
    }
}

/// True for what can be a command.
pub fn is_command(bytes: &[u8]) -> bool {
    (1..=LONGEST_NAME).contains(&bytes.len()) && bytes.iter().all(|&byte| is_plain(byte))
}

/// True for what can be the name of a field: `*` is for requests of all that begin so.
pub fn is_name(bytes: &[u8]) -> bool {
    (1..=LONGEST_NAME).contains(&bytes.len())
        && bytes.iter().all(|&byte| is_plain(byte) || byte == b'*')
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Takes a message apart.
///
/// # Errors
/// When it is none.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Malformed> {
    if bytes.len() > LONGEST {
        return Err(Malformed::TooLong(bytes.len()));
    }
    let at = memchr::memchr(b'@', bytes).unwrap_or(bytes.len());
    let (command, rest) = bytes.split_at(at);
    if !is_command(command) {
        return Err(Malformed::Command);
    }
    let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
    let body = rest.get(1..).unwrap_or_default();
    if !body.is_empty() {
        let count = 1 + memchr::memchr_iter(b'|', body).count();
        if count > MOST_FIELDS {
            return Err(Malformed::TooMany(count));
        }
        fields.reserve_exact(count);
        for (index, field) in body.split(|&byte| byte == b'|').enumerate() {
            let equals = memchr::memchr(b'=', field).ok_or(Malformed::NoValue(index + 1))?;
            let (name, value) = (&field[..equals], &field[equals + 1..]);
            if !is_name(name) {
                return Err(Malformed::Name(index + 1));
            }
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(Malformed::Twice(index + 1));
            }
            fields.push((name, value));
        }
    }
    Ok(Parsed { command, fields })
}

/// Appends a message to `out`. The fields are sorted by name.
///
/// # Errors
/// When a reader would refuse it; `out` is then as it was.
pub fn write(
    out: &mut Vec<u8>,
    command: &[u8],
    fields: &mut [(&[u8], &[u8])],
) -> Result<(), Malformed> {
    if !is_command(command) {
        return Err(Malformed::Command);
    }
    if fields.len() > MOST_FIELDS {
        return Err(Malformed::TooMany(fields.len()));
    }
    let start = out.len();
    out.extend_from_slice(command);
    out.push(b'@');
    let written = write_fields(out, fields);
    let length = out.len() - start;
    let result = match written {
        Ok(()) if length > LONGEST => Err(Malformed::TooLong(length)),
        other => other,
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends fields, sorted by name, without a command.
///
/// # Errors
/// When a name is none or there twice.
pub fn write_fields(out: &mut Vec<u8>, fields: &mut [(&[u8], &[u8])]) -> Result<(), Malformed> {
    fields.sort_unstable_by_key(|&(name, _)| name);
    let mut previous: Option<&[u8]> = None;
    for (index, &(name, value)) in fields.iter().enumerate() {
        if !is_name(name) {
            return Err(Malformed::Name(index + 1));
        }
        if previous.replace(name) == Some(name) {
            return Err(Malformed::Twice(index + 1));
        }
        if index > 0 {
            out.push(b'|');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        escape(out, value);
    }
    Ok(())
}

/// Appends a value, escaped.
pub fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // What games write is nearly always this.
    if value.iter().all(|byte| byte.is_ascii_alphanumeric()) {
        out.extend_from_slice(value);
        return;
    }
    for chunk in value.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            if byte < b' ' || matches!(byte, b'@' | b'|' | b'=' | b'%' | 0x7f) {
                escape_byte(out, byte);
            } else {
                out.push(byte);
            }
        }
        for &byte in chunk.invalid() {
            escape_byte(out, byte);
        }
    }
}

fn escape_byte(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The value that was escaped. A `%` without two digits behind it, as a writer that knows no
/// escapes may send it, stands for itself.
pub fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', value) else { return Cow::Borrowed(value) };
    let mut plain = value[..first].to_vec();
    let mut rest = &value[first..];
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%'
            && let [high, low, behind @ ..] = after
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            plain.push(high << 4 | low);
            rest = behind;
        } else {
            plain.push(byte);
        }
    }
    Cow::Owned(plain)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: &[u8], fields: &mut [(&[u8], &[u8])]) -> String {
        let mut out = Vec::new();
        write(&mut out, command, fields).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_plain_format_is_written_and_read_as_it_is() {
        let example = "req_mv_gold@gold=10000|session=1";
        let mut fields = [(&b"session"[..], &b"1"[..]), (b"gold", b"10000")];
        assert_eq!(text(b"req_mv_gold", &mut fields), example);
        let parsed = parse(example.as_bytes()).unwrap();
        assert_eq!(parsed.command, b"req_mv_gold");
        assert_eq!(parsed.field(b"gold").as_deref(), Some(&b"10000"[..]));
        assert_eq!(parsed.field(b"silver"), None);
    }

    #[test]
    fn separators_control_characters_and_bytes_outside_text_are_escaped() {
        let value = "a@b|c=d%e\n\u{7f}金币".as_bytes();
        let escaped = "x@v=a%40b%7Cc%3Dd%25e%0A%7F金币";
        assert_eq!(text(b"x", &mut [(b"v", value)]), escaped);
        assert_eq!(text(b"x", &mut [(b"v", b"\xff\x80z")]), "x@v=%FF%80z");
        assert_eq!(parse(escaped.as_bytes()).unwrap().field(b"v").as_deref(), Some(value));
    }

    #[test]
    fn a_writer_without_escapes_is_understood() {
        let parsed = parse(b"say@text=100% a=b@c%zz%4").unwrap();
        assert_eq!(parsed.field(b"text").as_deref(), Some(&b"100% a=b@c%zz%4"[..]));
        assert!(parse(b"ping").unwrap().is_empty());
        assert!(parse(b"ping@").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_place() {
        assert_eq!(parse(b""), Err(Malformed::Command));
        assert_eq!(parse(b"a b@"), Err(Malformed::Command));
        assert_eq!(parse(b"a@x=1|y"), Err(Malformed::NoValue(2)));
        assert_eq!(parse(b"a@x=1|=2"), Err(Malformed::Name(2)));
        assert_eq!(parse(b"a@x=1|"), Err(Malformed::NoValue(2)));
        assert_eq!(parse(b"a@x=1|y=1|x=2"), Err(Malformed::Twice(3)));
        assert_eq!(parse(&[b'a'; LONGEST + 1]), Err(Malformed::TooLong(LONGEST + 1)));
        let many = [b"a@".to_vec(), b"x=|".repeat(MOST_FIELDS)].concat();
        assert_eq!(parse(&many), Err(Malformed::TooMany(MOST_FIELDS + 1)));
    }

    #[test]
    fn what_a_reader_would_refuse_is_not_written() {
        let mut out = b"kept".to_vec();
        let long = vec![b'v'; LONGEST];
        let twice: &mut [(&[u8], &[u8])] = &mut [(b"x", b""), (b"x", b"")];
        assert_eq!(write(&mut out, b"a", twice), Err(Malformed::Twice(2)));
        assert_eq!(write(&mut out, b"a b", &mut []), Err(Malformed::Command));
        assert!(matches!(write(&mut out, b"a", &mut [(b"x", &long)]), Err(Malformed::TooLong(_))));
        assert_eq!(out, b"kept");
    }
}
