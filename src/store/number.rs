//! Numbers as Redis reads and writes them.
//!
//! Invariant: a score is written with 17 significant digits (C's `%.17g`), so that it comes back
//! as the same number.
//! Not here: the sums of `INCRBYFLOAT` (`extended.rs`), integers as arguments (`codec::resp`).

/// The float that `text` is, as a whole.
pub fn float(text: &[u8]) -> Option<f64> {
    let value = bound(text).filter(|_| !text.is_empty() && !is_space(text[0]))?;
    let (mantissa, names_infinity) = mantissa(text);
    let lost = value.is_infinite() && !names_infinity
        || value == 0.0 && mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    (!lost).then_some(value)
}

/// The same for the end of a range, where nothing at all is zero and what is too large infinite.
pub fn bound(text: &[u8]) -> Option<f64> {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    if text.is_empty() {
        return Some(0.0);
    }
    let text = str::from_utf8(&text[start..]).ok()?;
    text.parse().ok().filter(|value: &f64| !value.is_nan())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The digits before an exponent, and whether there are none since it says "infinity".
fn mantissa(text: &[u8]) -> (&[u8], bool) {
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    (&text[..end], text.iter().any(|byte| matches!(byte, b'i' | b'I')))
}

/// Writes an integer.
pub fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// An integer as bytes.
pub fn integer_text(value: i64) -> Vec<u8> {
    itoa::Buffer::new().format(value).as_bytes().to_vec()
}

/// A float with 17 significant digits, as C's `%.17g`.
pub fn float_text(value: f64) -> Vec<u8> {
    if value.is_infinite() {
        return if value > 0.0 { b"inf".to_vec() } else { b"-inf".to_vec() };
    }
    if value.is_nan() {
        return b"nan".to_vec();
    }
    /// Below it every integer is exact, and has no more than 17 digits.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.trunc() == value && value.abs() < EXACT && (value != 0.0 || value.is_sign_positive()) {
        #[allow(clippy::cast_possible_truncation, reason = "an integer below 2^53")]
        return integer_text(value as i64);
    }
    let written = format!("{value:.16e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_end_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    let text = if !(-4..17).contains(&exponent) {
        let (first, rest) = significant.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let mark = if exponent < 0 { '-' } else { '+' };
        format!("{sign}{first}{point}{rest}e{mark}{:02}", exponent.unsigned_abs())
    } else if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or_default());
        format!("{sign}0.{zeros}{significant}")
    } else {
        let whole = usize::try_from(exponent + 1).unwrap_or_default();
        let padded = format!("{significant:0<whole$}");
        let (whole, rest) = padded.split_at(whole);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{rest}")
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_c_writes_them() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1e15, "1000000000000000"),
            (1e17, "1e+17"),
            (12345678901234567.0, "12345678901234568"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5000000000000001e+300"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (3.0e-310, "2.9999999999999908e-310"),
        ] {
            assert_eq!(String::from_utf8(float_text(value)).unwrap(), text);
        }
    }

    #[test]
    fn floats_are_read_whole_or_not_at_all() {
        assert_eq!(float(b"1.5e3"), Some(1500.0));
        assert_eq!(float(b"+inf"), Some(f64::INFINITY));
        assert_eq!(float(b"-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", " 1", "1 ", "nan", "1e400", "1e-400", "1x", "e", "."] {
            assert_eq!(float(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(float(b"0e-400"), Some(0.0));
        assert_eq!((bound(b""), bound(b"1e400")), (Some(0.0), Some(f64::INFINITY)));
    }
}
