//! How long a body is, from the two header fields that say so.
//!
//! Invariant: a length is plain decimal digits. What other readers could take for another length
//! (signs, hexadecimal, lists) is refused, since that is how requests are smuggled.

use super::Refusal;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing says it: a request has none, a response goes on until its connection ends.
    Unstated,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk. A length beside it does not count.
    Chunked,
}

/// The body's end, from the values of `content-length` and `transfer-encoding`.
///
/// # Errors
/// When the length is no number, or the coding is not one of skynet's.
pub fn body(length: Option<&[u8]>, coding: Option<&[u8]>) -> Result<Body, Refusal> {
    match coding {
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => return Ok(Body::Chunked),
        Some(coding) if !coding.eq_ignore_ascii_case(b"identity") => return Err(Refusal::Coding),
        _ => {}
    }
    let Some(digits) = length else { return Ok(Body::Unstated) };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Refusal::Malformed)?;
    // What is no 64-bit number is larger than any limit.
    let length: i64 = digits.parse().map_err(|_| Refusal::TooLarge)?;
    Ok(Body::Length(length.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Result<Body, Refusal> {
        body(Some(text.as_bytes()), None)
    }

    #[test]
    fn a_length_is_decimal_digits() {
        assert_eq!(length("0"), Ok(Body::Length(0)));
        assert_eq!(length("007"), Ok(Body::Length(7)));
        assert_eq!(length("9223372036854775807"), Ok(Body::Length(i64::MAX.unsigned_abs())));
        assert_eq!(length("9223372036854775808"), Err(Refusal::TooLarge));
        for text in ["", "-5", "+5", "0x10", "1e3", "5, 5", "5 5", "five", "5.0"] {
            assert_eq!(length(text), Err(Refusal::Malformed), "{text:?}");
        }
    }

    #[test]
    fn chunked_counts_and_the_length_beside_it_does_not() {
        assert_eq!(body(Some(b"5"), Some(b"Chunked")), Ok(Body::Chunked));
        assert_eq!(body(Some(b"junk"), Some(b"chunked")), Ok(Body::Chunked));
        assert_eq!(body(Some(b"5"), Some(b"identity")), Ok(Body::Length(5)));
        assert_eq!(body(None, Some(b"identity")), Ok(Body::Unstated));
        assert_eq!(body(None, None), Ok(Body::Unstated));
        for coding in ["gzip, chunked", "gzip", "chunked, chunked", "xchunked", ""] {
            assert_eq!(body(None, Some(coding.as_bytes())), Err(Refusal::Coding), "{coding:?}");
        }
    }
}
