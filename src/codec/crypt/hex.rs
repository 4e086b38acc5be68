//! Bytes as hexadecimal digits, two a byte, small letters.

/// Digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// What is no digit. Values of digits are below 16, so this survives being combined with one.
const NONE: u8 = 0xff;

/// Value of each character.
const VALUES: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 16_u8 {
        let digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        table[digit as usize] = value;
        value += 1;
    }
    table
};

/// Why a text holds no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Half a byte is left over.
    #[error("Invalid hex text size {0}")]
    Odd(usize),
    /// A character that is no small digit.
    #[error("Invalid hex text")]
    Digit,
}

/// Appends the digits of `bytes`.
pub fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    for (place, byte) in out[start..].chunks_exact_mut(2).zip(bytes) {
        place.copy_from_slice(&DIGITS[usize::from(*byte)]);
    }
}

/// Appends the bytes that `text` holds.
///
/// # Errors
/// When it is no even number of digits. What was appended then is of no use.
pub fn decode(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Invalid> {
    if text.len() % 2 == 1 {
        return Err(Invalid::Odd(text.len()));
    }
    let start = out.len();
    out.resize(start + text.len() / 2, 0);
    let mut seen = 0;
    for (place, pair) in out[start..].iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *place = high << 4 | low;
    }
    if seen > 15 { Err(Invalid::Digit) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut out = Vec::new();
        decode(&mut out, text).map(|()| out)
    }

    #[test]
    fn every_byte_has_two_digits_and_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut text = b"->".to_vec();
        encode(&mut text, &bytes);
        assert!(text.starts_with(b"->000102") && text.ends_with(b"fdfeff"));
        assert_eq!(decoded(&text[2..]), Ok(bytes));
    }

    #[test]
    fn what_is_no_digit_is_refused() {
        assert_eq!(decoded(b"abc"), Err(Invalid::Odd(3)));
        for text in [b"0g", b"g0", b"AB", b"0:", b" 0", b"0\xff"] {
            assert_eq!(decoded(text), Err(Invalid::Digit), "{text:?}");
        }
        assert_eq!(decoded(b""), Ok(vec![]));
    }
}
