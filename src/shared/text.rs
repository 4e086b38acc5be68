//! A string of a tree: short ones stand in the value itself, the others in the bytes of the tree.
//!
//! Invariant: a string has one form in a tree, so two are equal exactly if their forms are.

/// The longest string that stands in the value itself.
const SHORT: usize = 14;
/// What the first byte of others is.
const LONG: u8 = u8::MAX;

/// A string of a tree: its length and its bytes, or where these are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Text([u8; SHORT + 1]);

impl Text {
    /// A short string; `None` when it is too long for that.
    #[inline]
    pub(super) fn short(text: &[u8]) -> Option<Self> {
        let length = u8::try_from(text.len()).ok()?;
        let mut form = [0; SHORT + 1];
        form[0] = length;
        form[1..].get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(form))
    }

    /// A string that stands in the bytes of the tree.
    pub(super) fn long(start: u32, length: u32) -> Self {
        let mut form = [0; SHORT + 1];
        form[0] = LONG;
        form[1..5].copy_from_slice(&start.to_le_bytes());
        form[5..9].copy_from_slice(&length.to_le_bytes());
        Self(form)
    }

    /// The string; empty when `bytes` are not those it stands in.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        let [length, rest @ ..] = &self.0;
        let found = match *length {
            LONG => {
                let [a, b, c, d, e, f, g, h, ..] = *rest;
                let start = u32::from_le_bytes([a, b, c, d]) as usize;
                let length = u32::from_le_bytes([e, f, g, h]) as usize;
                bytes.get(start..).and_then(|bytes| bytes.get(..length))
            }
            length => rest.get(..usize::from(length)),
        };
        found.unwrap_or_default()
    }

    /// An order of strings, and what tells them apart.
    pub(super) fn order(self) -> u128 {
        let mut word = [0; 16];
        word[1..].copy_from_slice(&self.0);
        u128::from_be_bytes(word)
    }
}
