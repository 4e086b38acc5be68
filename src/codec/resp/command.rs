//! Commands as a client writes them: an array of bulk strings.
//!
//! Invariant: what is appended is one whole command when `begin` was given the number of its parts
//! and `put_part` was called as often.

use super::reply::{put_bulk, put_length};

/// Begins a command of `parts` parts, its name included.
pub fn begin(out: &mut Vec<u8>, parts: usize) {
    put_length(out, b'*', parts);
}

/// Appends one part.
pub fn put_part(out: &mut Vec<u8>, part: &[u8]) {
    put_bulk(out, part);
}

/// Appends an integer as one part.
pub fn put_integer_part(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    put_part(out, &digits[at..]);
}

/// Appends a whole command.
pub fn put_command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    begin(out, parts.len());
    parts.iter().for_each(|part| put_part(out, part));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_its_parts_whatever_bytes_they_have() {
        let mut out = Vec::new();
        put_command(&mut out, &[b"SET", b"k\r\n", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    }

    #[test]
    fn integers_are_written_as_their_text() {
        for value in [0, 7, -1, 1234, i64::MAX, i64::MIN] {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            put_integer_part(&mut out, value);
            put_part(&mut expected, value.to_string().as_bytes());
            assert_eq!(out, expected);
        }
    }
}
