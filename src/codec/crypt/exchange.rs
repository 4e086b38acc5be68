//! The key exchange of a login: powers modulo the largest prime below 2^64.

/// The modulus.
const PRIME: u64 = 0xffff_ffff_ffff_ffc5;
/// What 2^64 is modulo the prime.
const EXCESS: u128 = 59;
/// The base of what both sides send.
const GENERATOR: u64 = 5;

/// What a side sends for its secret. `None` for zero, which is no secret.
pub fn public(secret: u64) -> Option<u64> {
    shared(GENERATOR, secret)
}

/// What both sides compute of the other's message and their own secret. `None` if one is zero.
pub fn shared(message: u64, secret: u64) -> Option<u64> {
    if message == 0 || secret == 0 {
        return None;
    }
    let mut base = message;
    if secret == 1 {
        // As clients have it: the prime itself is not reduced.
        return Some(if base > PRIME { base - PRIME } else { base });
    }
    let mut left = secret;
    let mut product = 1;
    loop {
        if left & 1 == 1 {
            product = multiply(product, base);
        }
        left >>= 1;
        if left == 0 {
            return Some(product);
        }
        base = multiply(base, base);
    }
}

fn multiply(one: u64, other: u64) -> u64 {
    // Two foldings of what is above 2^64 leave less than twice the prime.
    let product = u128::from(one) * u128::from(other);
    let folded = (product >> 64) * EXCESS + (product & u128::from(u64::MAX));
    let folded = (folded >> 64) * EXCESS + (folded & u128::from(u64::MAX));
    let rest = if folded >= u128::from(PRIME) { folded - u128::from(PRIME) } else { folded };
    #[allow(clippy::cast_possible_truncation, reason = "smaller than the prime")]
    let rest = rest as u64;
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(base: u64, exponent: u32) -> u64 {
        let power = (0..exponent)
            .fold(1, |power: u128, _| power * u128::from(base % PRIME) % u128::from(PRIME));
        u64::try_from(power).unwrap()
    }

    #[test]
    fn powers_are_those_of_long_division() {
        for base in [2, 5, 59, u64::MAX, PRIME - 1, PRIME + 1, 0x8000_0000_0000_0000] {
            for exponent in 2..70 {
                assert_eq!(shared(base, exponent.into()), Some(slow(base, exponent)), "{base}");
            }
        }
    }

    #[test]
    fn both_sides_come_to_the_same_secret() {
        let (one, other) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        let secret = shared(public(one).unwrap(), other);
        assert!(secret.is_some());
        assert_eq!(secret, shared(public(other).unwrap(), one));
    }

    #[test]
    fn zero_is_no_secret_and_one_leaves_the_message_alone() {
        assert_eq!((public(0), shared(0, 3), shared(3, 0)), (None, None, None));
        assert_eq!(shared(7, 1), Some(7));
        assert_eq!(shared(PRIME, 1), Some(PRIME));
        assert_eq!(shared(PRIME + 1, 1), Some(1));
        assert_eq!(shared(PRIME, 2), Some(0));
    }
}
