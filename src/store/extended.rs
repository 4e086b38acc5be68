//! Sums of floats with a mantissa of 64 bits, the `long double` of x86-64, in which Redis counts
//! `INCRBYFLOAT`: 0.1 and 0.2 are 0.3 there.
//!
//! Invariant: reading, adding and writing round once each, to the nearest, ties to even.
//! Not here: numbers below the smallest normal one (10^-4932), which are read as none.

use std::cmp::Ordering;

/// Longest text that is read as a number.
const LONGEST: usize = 256;
/// Powers of ten beyond which the number is infinite or nothing.
const LARGEST_POWER: i64 = 4932;
/// Exponent of the first bit of the largest number.
const LARGEST_EXPONENT: i64 = 16_383;
/// Digits behind the point that are written.
const DECIMALS: u32 = 17;

/// A float: `mantissa * 2^exponent`, the first bit of the mantissa set, or zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

impl Extended {
    /// The number that `text` is; none if it is none, or one that has no finite value.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= LONGEST {
            return None;
        }
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mut number, mut power, mut any, mut point) = (Natural::default(), 0_i64, false, false);
        let mut at = 0;
        while let Some(byte) = digits.get(at) {
            match byte {
                b'0'..=b'9' => {
                    number.multiply_add(10, u32::from(byte - b'0'));
                    any = true;
                    power -= i64::from(point);
                }
                b'.' if !point => point = true,
                _ => break,
            }
            at += 1;
        }
        if let [b'e' | b'E', exponent @ ..] = &digits[at..] {
            let exponent = exponent.strip_prefix(b"+").unwrap_or(exponent);
            let exponent: i32 = str::from_utf8(exponent).ok()?.parse().ok()?;
            power += i64::from(exponent);
        } else if at < digits.len() {
            return None;
        }
        if !any {
            return None;
        }
        if number.is_zero() {
            return Some(Self { negative, mantissa: 0, exponent: 0 });
        }
        let size = power + i64::try_from(digits.len()).ok()?;
        if power > LARGEST_POWER || size < -LARGEST_POWER {
            return None;
        }
        let ten = |power: i64| (0..power).fold(Natural::one(), |n, _| n.multiplied(10));
        let (bits, exponent, more) = if power >= 0 {
            let mut product = number;
            (0..power).for_each(|_| product.multiply_add(10, 0));
            product.leading()
        } else {
            number.divided(&ten(-power))
        };
        Self::rounded(negative, bits, exponent, more)
    }

    /// An integer, which is exact.
    pub(super) fn integer(value: i64) -> Self {
        let magnitude = value.unsigned_abs();
        let shift = magnitude.leading_zeros() % 64;
        Self { negative: value < 0, mantissa: magnitude << shift, exponent: -i64::from(shift) }
    }

    /// The sum; none if it is not finite.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let top = |number: &Self| (number.mantissa != 0).then_some(number.exponent);
        let (large, small) = if top(&self) >= top(&other) { (self, other) } else { (other, self) };
        if small.mantissa == 0 {
            return Some(large);
        }
        // Two bits stay free above, 62 below take what the smaller one has more.
        const ROOM: u32 = 62;
        let apart = large.exponent - small.exponent;
        let left = u128::from(large.mantissa) << ROOM;
        let right = u128::from(small.mantissa) << ROOM;
        let right = match u32::try_from(apart) {
            Ok(apart) if apart < 126 => {
                let lost = right & ((1_u128 << apart) - 1) != 0;
                right >> apart | u128::from(lost)
            }
            _ => 1,
        };
        let (negative, sum) = if large.negative == small.negative {
            (large.negative, left + right)
        } else if left >= right {
            (large.negative, left - right)
        } else {
            (small.negative, right - left)
        };
        if sum == 0 {
            return Some(Self { negative: false, mantissa: 0, exponent: 0 });
        }
        Self::rounded(negative, sum, large.exponent - i64::from(ROOM), false)
    }

    /// The nearest number to `bits * 2^exponent`, and a little more if `more`.
    fn rounded(negative: bool, bits: u128, exponent: i64, more: bool) -> Option<Self> {
        let length = 128 - bits.leading_zeros();
        let (mut mantissa, mut exponent) = (bits, exponent);
        if length > 64 {
            let cut = length - 64;
            let rest = bits & ((1_u128 << cut) - 1);
            let half = 1_u128 << (cut - 1);
            mantissa = bits >> cut;
            exponent += i64::from(cut);
            let up = match rest.cmp(&half) {
                Ordering::Less => false,
                Ordering::Equal => more || mantissa & 1 == 1,
                Ordering::Greater => true,
            };
            mantissa += u128::from(up);
            if mantissa >> 64 != 0 {
                mantissa >>= 1;
                exponent += 1;
            }
        } else {
            mantissa <<= 64 - length;
            exponent -= i64::from(64 - length);
        }
        let mantissa = u64::try_from(mantissa).ok()?;
        (exponent + 63 <= LARGEST_EXPONENT).then_some(Self { negative, mantissa, exponent })
    }

    /// The number with up to 17 digits behind the point, without needless zeros.
    pub(super) fn text(self) -> Vec<u8> {
        let mut scaled = Natural::of(u128::from(self.mantissa));
        (0..DECIMALS).for_each(|_| scaled.multiply_add(10, 0));
        scaled.shift(self.exponent);
        let mut digits = scaled.decimal();
        let decimals = DECIMALS as usize;
        if digits.len() <= decimals {
            digits.insert_str(0, &"0".repeat(decimals + 1 - digits.len()));
        }
        digits.insert(digits.len() - decimals, '.');
        let text = digits.trim_end_matches('0').trim_end_matches('.');
        let sign = if self.negative && text != "0" { "-" } else { "" };
        format!("{sign}{text}").into_bytes()
    }
}

/// An integer of any size, lowest word first, without zeros at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Natural(Vec<u32>);

#[allow(clippy::cast_possible_truncation, reason = "words are masked, places are small")]
impl Natural {
    fn one() -> Self {
        Self(vec![1])
    }

    fn of(mut value: u128) -> Self {
        let mut words = Vec::new();
        while value != 0 {
            words.push((value & 0xffff_ffff) as u32);
            value >>= 32;
        }
        Self(words)
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn multiply_add(&mut self, factor: u32, more: u32) {
        let mut carry = u64::from(more);
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = (product & 0xffff_ffff) as u32;
            carry = product >> 32;
        }
        if carry != 0 {
            self.0.push((carry & 0xffff_ffff) as u32);
        }
    }

    fn multiplied(mut self, factor: u32) -> Self {
        self.multiply_add(factor, 0);
        self
    }

    fn bits(&self) -> i64 {
        let top = self.0.last().map_or(0, |word| 32 - i64::from(word.leading_zeros()));
        32 * (self.0.len().max(1) as i64 - 1) + top
    }

    /// Times `2^by`; below one it rounds to the nearest, ties to even.
    fn shift(&mut self, by: i64) {
        if by >= 0 {
            let (words, bits) = ((by / 32) as usize, by % 32);
            self.multiply_add(1 << bits, 0);
            if !self.is_zero() {
                self.0.splice(0..0, std::iter::repeat_n(0, words));
            }
            return;
        }
        let cut = -by;
        if cut > self.bits() {
            self.0.clear();
            return;
        }
        let bit = |number: &Self, at: i64| {
            at >= 0
                && number.0.get((at / 32) as usize).is_some_and(|word| word >> (at % 32) & 1 == 1)
        };
        let half = bit(self, cut - 1);
        let rest = (0..cut - 1).any(|at| bit(self, at));
        let words = (cut / 32) as usize;
        let bits = (cut % 32) as u32;
        self.0.drain(..words.min(self.0.len()));
        let mut carry = 0_u64;
        for word in self.0.iter_mut().rev() {
            let both = carry << 32 | u64::from(*word);
            carry = u64::from(*word) & ((1 << bits) - 1);
            *word = ((both >> bits) & 0xffff_ffff) as u32;
        }
        self.trim();
        if half && (rest || bit(self, 0)) {
            self.multiply_add(1, 1);
        }
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The first 128 bits at most, their exponent, and whether there is more below.
    fn leading(&self) -> (u128, i64, bool) {
        let cut = (self.bits() - 127).max(0);
        let mut bits = 0_u128;
        for (index, word) in self.0.iter().enumerate().rev() {
            let place = 32 * index as i64 - cut;
            let word = u128::from(*word);
            bits |= if place >= 0 {
                word << place
            } else if place > -32 {
                word >> -place
            } else {
                0
            };
        }
        let mut below = self.clone();
        below.0.truncate((cut / 32 + 1) as usize);
        if let Some(last) = below.0.get_mut((cut / 32) as usize) {
            *last &= (1_u32 << (cut % 32)).wrapping_sub(1);
        }
        (bits, cut, cut > 0 && below.0.iter().any(|word| *word != 0))
    }

    /// At least 66 bits of the quotient, their exponent, and whether there is more below.
    fn divided(&self, by: &Self) -> (u128, i64, bool) {
        let mut rest = self.clone();
        let shift = (by.bits() - rest.bits() + 67).max(0);
        rest.shift(shift);
        let mut quotient = 0_u128;
        for at in (0..=rest.bits() - by.bits()).rev() {
            let mut part = by.clone();
            part.shift(at);
            quotient <<= 1;
            if rest.compare(&part) != Ordering::Less {
                rest.subtract(&part);
                quotient |= 1;
            }
        }
        (quotient, -shift, !rest.is_zero())
    }

    fn compare(&self, other: &Self) -> Ordering {
        let length = self.0.len().cmp(&other.0.len());
        length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes away what is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        for (index, word) in self.0.iter_mut().enumerate() {
            let taken =
                i64::from(*word) - i64::from(other.0.get(index).copied().unwrap_or(0)) - borrow;
            borrow = i64::from(taken < 0);
            *word = (taken & 0xffff_ffff) as u32;
        }
        self.trim();
    }

    fn decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0_u64;
            for word in self.0.iter_mut().rev() {
                let both = rest << 32 | u64::from(*word);
                *word = (both / 1_000_000_000) as u32;
                rest = both % 1_000_000_000;
            }
            self.trim();
            groups.push(rest);
        }
        let Some(first) = groups.pop() else { return "0".to_owned() };
        groups.iter().rev().fold(first.to_string(), |text, group| format!("{text}{group:09}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> Option<String> {
        let left = Extended::parse(left.as_bytes())?;
        let sum = left.plus(Extended::parse(right.as_bytes())?)?;
        Some(String::from_utf8(sum.text()).unwrap())
    }

    #[test]
    fn sums_are_those_of_a_long_double() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "-3", "0"),
            ("-1.5", "0.25", "-1.25"),
            ("1e20", "1", "100000000000000000000"),
            ("0", "-0.0", "0"),
            ("3.0e-5", "0", "0.00003"),
            ("1000.1", "0.2", "1000.29999999999999999"),
            ("123456.789", "0.001", "123456.78999999999999915"),
            ("1e-17", "1e-18", "0.00000000000000001"),
            ("1e30", "0.1", "1000000000000000000024696061952"),
        ] {
            assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_none() {
        for text in ["", ".", "1e", "inf", "nan", "1e5000", "1e-5000", " 1", "1 ", "--1", "1e4932"]
        {
            let found = Extended::parse(text.as_bytes());
            assert_eq!(found.is_none(), text != "1e4932", "{text}");
        }
        assert_eq!(sum("1.1e4932", "1.1e4932"), None);
    }

    #[test]
    fn integers_are_exact() {
        for value in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53] {
            let text = Extended::integer(value).text();
            assert_eq!(String::from_utf8(text).unwrap(), value.to_string());
        }
    }
}
