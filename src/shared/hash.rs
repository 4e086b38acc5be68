//! The hash of keys in a tree: fast for short strings, keyed so that nobody can choose collisions.
//!
//! Invariant: equal keys have equal hashes under one seed. Not for anything that is written down.

use std::hash::{BuildHasher, RandomState};

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// A seed nobody can guess.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(FIRST)
}

#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    #[allow(clippy::cast_possible_truncation, reason = "both halves are used")]
    let halves = (product as u64, (product >> 64) as u64);
    halves.0 ^ halves.1
}

/// Hash of a number.
#[inline(always)]
pub(super) fn word(seed: u64, value: u64) -> u32 {
    finish(fold(value ^ seed, FIRST))
}

/// Hash of a string.
#[inline]
pub(super) fn bytes(seed: u64, text: &[u8]) -> u32 {
    let mut state = seed ^ (text.len() as u64).wrapping_mul(SECOND);
    let (words, tail) = text.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), FIRST);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        state = fold(state ^ u64::from_le_bytes(last), SECOND);
    }
    finish(fold(state, FIRST ^ SECOND))
}

#[inline(always)]
fn finish(state: u64) -> u32 {
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is mixed in")]
    let low = (state ^ (state >> 32)) as u32;
    low
}
