//! Amounts of memory and time as a policy file writes them.
//!
//! Invariant: a text without a unit is refused, so that nobody reads seconds where milliseconds
//! were meant.
//! Not here: which key takes which amount (`file.rs`).

use std::time::Duration;

/// Units of memory. Only the binary ones: a `GB` is read as 10^9 by some and as 2^30 by others.
const BYTE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Units of time in milliseconds, longer names first because `ms` ends in `s`.
const TIME_UNITS: [(&str, f64); 4] =
    [("ms", 1.0), ("min", 60_000.0), ("h", 3_600_000.0), ("s", 1_000.0)];

/// Longest time accepted, in milliseconds: ten years, far below what would overflow.
const LONGEST_TIME: f64 = 3650.0 * 24.0 * 3_600_000.0;

/// Reads bytes such as `64MiB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text, &BYTE_UNITS)?;
    digits(number)?.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads a time above zero such as `100ms`, `1.5s` or `2min`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text, &TIME_UNITS)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits(whole).and(digits(fraction))?;
    let milliseconds = number.parse::<f64>().ok()? * unit;
    let time =
        Duration::from_secs_f64((milliseconds <= LONGEST_TIME).then_some(milliseconds)? / 1e3);
    (!time.is_zero()).then_some(time)
}

/// Takes the unit off the end of `text`.
fn split_unit<'a, T: Copy>(text: &'a str, units: &[(&str, T)]) -> Option<(&'a str, T)> {
    let found = |(unit, size): &(&str, T)| Some((text.strip_suffix(unit)?.trim_end(), *size));
    units.iter().find_map(found)
}

/// `text` if it is nothing but digits, at least one.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_binary_unit() {
        assert_eq!(bytes("2GiB"), Some(2 * 1024 * 1024 * 1024));
        assert_eq!(bytes("64 MiB"), Some(64 * 1024 * 1024));
        assert_eq!(bytes("512KiB"), Some(512 * 1024));
        assert_eq!(bytes("100B"), Some(100));
    }

    #[test]
    fn other_texts_are_no_bytes() {
        for text in [
            "",
            "B",
            "64",
            "64MB",
            "64M",
            "1.5GiB",
            "-1B",
            "+1B",
            "64mib",
            "x64MiB",
            "99999999999GiB",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_has_a_unit_and_may_have_a_fraction() {
        assert_eq!(duration("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("1.5 s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2min"), Some(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in [
            "",
            "5",
            "s",
            "ms",
            "0s",
            "-1s",
            "+1s",
            "1e3s",
            "1m",
            ".5s",
            "5.s",
            "infs",
            "nans",
            "99999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
