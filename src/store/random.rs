//! Random choices (`SRANDMEMBER`, `RANDOMKEY`): evenly spread, good for nothing secret.

use std::hash::{BuildHasher, RandomState};

/// A source of random numbers (xorshift with a multiplication).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A source that begins somewhere.
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0_u8) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        // The upper half of the product is spread as evenly as the number.
        let scaled = u128::from(number) * (limit as u128);
        usize::try_from(scaled >> 64).unwrap_or_default()
    }
}
