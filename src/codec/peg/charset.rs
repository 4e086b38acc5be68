//! Sets of bytes.

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Charset([u64; 4]);

impl Charset {
    /// No byte.
    pub const EMPTY: Self = Self([0; 4]);
    /// Every byte.
    pub const FULL: Self = Self([u64::MAX; 4]);

    /// The set of one byte.
    pub fn of(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert(byte);
        set
    }

    /// Adds a byte.
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Whether a byte is in it.
    #[inline(always)]
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| join(self.0[at], other.0[at])))
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.zip(other, |left, right| left | right)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.zip(other, |left, right| left & right)
    }

    /// What is in this one alone.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |left, right| left & !right)
    }

    /// What is not in it.
    #[must_use]
    pub fn complement(self) -> Self {
        Self::FULL.minus(self)
    }

    /// Whether nothing is in both.
    pub fn is_disjoint(self, other: Self) -> bool {
        self.intersection(other) == Self::EMPTY
    }

    /// Number of bytes in it.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The only byte in it.
    pub fn single(&self) -> Option<u8> {
        if self.len() != 1 {
            return None;
        }
        (0..=u8::MAX).find(|byte| self.contains(*byte))
    }
}
