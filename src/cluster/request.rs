//! A request on its way from a local service to a link: whom it is for, a trace tag if it has
//! one, and the packed arguments behind them.
//!
//! Invariant: it is a payload like any other; one that a script made up is read with the same care
//! and refused if it makes no sense.

use crate::codec::cluster::{Address, LONGEST_NAME, PART};

/// Why an address cannot be written on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadName(
    /// Its length.
    pub usize,
);

/// An address that outlives the bytes it was read from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum OwnedAddress {
    Handle(u32),
    Name(Box<[u8]>),
}

impl OwnedAddress {
    pub(super) fn of(address: Address<'_>) -> Self {
        match address {
            Address::Handle(number) => Self::Handle(number),
            Address::Name(name) => Self::Name(name.into()),
        }
    }

    pub(super) fn get(&self) -> Address<'_> {
        match self {
            Self::Handle(number) => Address::Handle(*number),
            Self::Name(name) => Address::Name(name),
        }
    }
}

/// What stands before the packed arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head<'a> {
    /// Whom it is for.
    pub to: Address<'a>,
    /// The tag, or nothing.
    pub tag: &'a [u8],
    /// Length of the head.
    pub length: usize,
}

/// Writes the head to the end of `out`; the packed arguments follow.
///
/// # Errors
/// When the address is a name of no or more than 255 bytes; then nothing is written.
pub fn write_head(out: &mut Vec<u8>, to: Address<'_>, tag: &[u8]) -> Result<(), BadName> {
    match to {
        Address::Handle(handle) => {
            out.push(0);
            out.extend_from_slice(&handle.to_le_bytes());
        }
        Address::Name(name) => {
            let length = u8::try_from(name.len()).ok().filter(|length| *length > 0);
            out.push(length.ok_or(BadName(name.len()))?);
            out.extend_from_slice(name);
        }
    }
    // Longer tags do not travel (skynet refuses them as well).
    let tag = if tag.len() > PART { &[] } else { tag };
    let length = u16::try_from(tag.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(tag);
    Ok(())
}

/// Reads the head of a request; `None` when it is none.
pub fn read_head(payload: &[u8]) -> Option<Head<'_>> {
    const { assert!(LONGEST_NAME == u8::MAX as usize && PART <= u16::MAX as usize) };
    let (length, rest) = payload.split_first()?;
    let (to, rest) = match usize::from(*length) {
        0 => {
            let (handle, rest) = rest.split_first_chunk()?;
            (Address::Handle(u32::from_le_bytes(*handle)), rest)
        }
        length => {
            let (name, rest) = rest.split_at_checked(length)?;
            (Address::Name(name), rest)
        }
    };
    let (length, rest) = rest.split_first_chunk()?;
    let (tag, body) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some(Head { to, tag, length: payload.len() - body.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_were_written() {
        for to in [Address::Handle(0), Address::Handle(u32::MAX), Address::Name(b"@a")] {
            for tag in [&b""[..], b":1-2"] {
                let mut out = Vec::new();
                write_head(&mut out, to, tag).unwrap();
                let length = out.len();
                out.extend_from_slice(b"body");
                assert_eq!(read_head(&out), Some(Head { to, tag, length }));
                for cut in 0..length {
                    assert_eq!(read_head(&out[..cut]), None);
                }
            }
        }
    }

    #[test]
    fn a_name_that_no_frame_can_hold_is_refused() {
        let mut out = Vec::new();
        let long = [b'x'; 256];
        assert_eq!(write_head(&mut out, Address::Name(&long), b""), Err(BadName(256)));
        assert_eq!(write_head(&mut out, Address::Name(b""), b""), Err(BadName(0)));
        assert!(out.is_empty());
    }
}
