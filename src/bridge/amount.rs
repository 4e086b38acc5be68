//! Amounts of a currency or an item: whole numbers as decimal digits.
//!
//! Invariant: no amount and no balance is above what every party counts exactly, a Lua script in
//! Redis, which has floats alone, included.

/// Largest amount and largest balance: 2^53 - 1.
pub const MOST: u64 = 9_007_199_254_740_991;

/// The number that digits say: no sign, no blank, no zero in front.
pub fn parse(digits: &[u8]) -> Option<u64> {
    let canonical = match digits {
        [] => false,
        [b'0', rest @ ..] => rest.is_empty(),
        _ => digits.len() <= 16,
    };
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (value <= MOST).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_in_one_way_only() {
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"10000"), Some(10000));
        assert_eq!(parse(MOST.to_string().as_bytes()), Some(MOST));
        for other in ["", "00", "01", "-1", "+1", " 1", "1.0", "1e3", "9007199254740992"] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }
}
