//! Addresses: a handle names one service of one node for as long as the service lives.
//!
//! Invariant: a handle is never zero; its top 8 bits are the node's harbor id, the rest a counter.

use std::fmt;
use std::num::NonZeroU32;

/// Bits of a handle that belong to the node-local counter; the harbor id stands above them.
const COUNTER_BITS: u32 = 24;
/// Largest node-local counter value; after it numbering starts again at 1.
pub const MAX_COUNTER: u32 = (1 << COUNTER_BITS) - 1;

/// Address of one service; its text form is `:0000000a`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Handle(NonZeroU32);

impl Handle {
    /// The handle with this number; `None` for zero, which addresses nobody.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The handle of a node's `counter`-th service; `None` when the counter is zero.
    pub const fn compose(harbor: u8, counter: u32) -> Option<Self> {
        if counter & MAX_COUNTER == 0 {
            return None;
        }
        Self::new(((harbor as u32) << COUNTER_BITS) | (counter & MAX_COUNTER))
    }

    /// The number scripts see.
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// Id of the node this handle lives on, 0 when it runs alone.
    pub const fn harbor(self) -> u8 {
        (self.0.get() >> COUNTER_BITS) as u8
    }

    /// Reads the text form `:hex`, as skynet does: the part after the colon is base 16 and what
    /// follows the digits is ignored.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b":")?;
        let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
        let mut number: u32 = 0;
        for byte in digits {
            let Some(digit) = char::from(*byte).to_digit(16) else { break };
            number = number.wrapping_shl(4) | digit;
        }
        Self::new(number)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, ":{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_a_colon_and_eight_lower_case_digits() {
        assert_eq!(Handle::new(10).unwrap().to_string(), ":0000000a");
        assert_eq!(Handle::compose(1, 0xabc).unwrap().to_string(), ":01000abc");
    }

    #[test]
    fn parsing_accepts_what_display_writes_and_unpadded_forms() {
        let handle = Handle::compose(3, 77).unwrap();
        assert_eq!(Handle::parse(handle.to_string().as_bytes()), Some(handle));
        assert_eq!(Handle::parse(b":a"), Handle::new(10));
        assert_eq!(Handle::parse(b":0"), None);
        assert_eq!(Handle::parse(b"a"), None);
    }
}
