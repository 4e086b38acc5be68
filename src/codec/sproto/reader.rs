//! Reads a structure: its fields with their tags, in order.

use super::LENGTH;

/// The bytes are no structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A small value.
    Inline(u16),
    /// Data.
    Data(&'a [u8]),
}

/// The fields of a structure that have not been read yet.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    entries: std::slice::Iter<'a, [u8; 2]>,
    next_tag: u32,
    data: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the structure that `bytes` begin with.
    ///
    /// # Errors
    /// When the bytes are fewer than the entries.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (count, rest) = bytes.split_first_chunk::<2>().ok_or(Malformed)?;
        let length = usize::from(u16::from_le_bytes(*count)) * 2;
        let (entries, data) = rest.split_at_checked(length).ok_or(Malformed)?;
        Ok(Self { entries: entries.as_chunks::<2>().0.iter(), next_tag: 0, data })
    }

    /// The next field; `None` at the end.
    ///
    /// # Errors
    /// When its data is cut off.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<(u32, Item<'a>)>, Malformed> {
        loop {
            let Some(entry) = self.entries.next() else { return Ok(None) };
            let entry = u16::from_le_bytes(*entry);
            let tag = self.next_tag;
            self.next_tag = tag + 1;
            if entry & 1 == 1 {
                self.next_tag += u32::from(entry / 2);
                continue;
            }
            if entry > 0 {
                return Ok(Some((tag, Item::Inline(entry / 2 - 1))));
            }
            let (data, rest) = split(self.data)?;
            self.data = rest;
            return Ok(Some((tag, Item::Data(data))));
        }
    }

    /// How many fields have not been read yet.
    #[inline]
    pub fn fields_left(&self) -> usize {
        self.entries.as_slice().iter().filter(|entry| entry[0] & 1 == 0).count()
    }

    /// Bytes behind the structure, when all fields are read.
    #[inline]
    pub const fn left(&self) -> usize {
        self.data.len()
    }
}

/// Splits bytes with their length in front off `bytes`.
///
/// # Errors
/// When they are cut off.
#[inline]
pub fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or(Malformed)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(Malformed)
}

/// How many pieces with their length in front `bytes` are.
///
/// # Errors
/// When the last one is cut off.
#[inline]
pub fn count(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut rest = bytes;
    let mut pieces = 0;
    while !rest.is_empty() {
        (_, rest) = split(rest)?;
        pieces += 1;
    }
    Ok(pieces)
}

/// A number in data of four or eight bytes.
///
/// # Errors
/// When there are more or fewer.
#[inline]
pub fn number(data: &[u8]) -> Result<i64, Malformed> {
    if let Ok(bytes) = data.try_into() {
        return Ok(i64::from(i32::from_le_bytes(bytes)));
    }
    data.try_into().map(i64::from_le_bytes).map_err(|_| Malformed)
}

/// Numbers of an array, all of one width.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// Of four bytes.
    Narrow(&'a [[u8; 4]]),
    /// Of eight.
    Wide(&'a [[u8; 8]]),
}

/// The numbers of an array. One without any may have a width or none.
///
/// # Errors
/// When the width is no width, or the bytes are no whole number of it.
#[inline]
pub fn numbers(data: &[u8]) -> Result<Numbers<'_>, Malformed> {
    let Some((width, rest)) = data.split_first() else { return Ok(Numbers::Narrow(&[])) };
    if rest.is_empty() {
        return Ok(Numbers::Narrow(&[]));
    }
    let (numbers, over) = match width {
        4 => {
            let (numbers, over) = rest.as_chunks();
            (Numbers::Narrow(numbers), over)
        }
        8 => {
            let (numbers, over) = rest.as_chunks();
            (Numbers::Wide(numbers), over)
        }
        _ => return Err(Malformed),
    };
    if over.is_empty() { Ok(numbers) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_skipped_and_data_follows_the_entries() {
        // Tags 0 (inline 13), 1 (data), 4 (inline 0); one byte behind.
        let bytes = [5, 0, 28, 0, 0, 0, 3, 0, 2, 0, 1, 0, 2, 0, 0, 0, b'h', b'i', 9];
        let mut fields = Fields::new(&bytes).unwrap();
        assert_eq!(fields.next_field(), Ok(Some((0, Item::Inline(13)))));
        assert_eq!(fields.next_field(), Ok(Some((1, Item::Data(b"hi")))));
        assert_eq!(fields.next_field(), Ok(Some((4, Item::Inline(0)))));
        assert_eq!(fields.next_field(), Ok(None));
        assert_eq!(fields.left(), 1);
    }

    #[test]
    fn what_is_cut_off_is_malformed() {
        for bytes in [&[][..], &[1], &[1, 0], &[1, 0, 0], &[2, 0, 2, 0, 2]] {
            assert_eq!(Fields::new(bytes).err(), Some(Malformed), "{bytes:?}");
        }
        for data in [&[][..], &[1], &[1, 0, 0, 0], &[255, 255, 255, 255, 0]] {
            assert_eq!(split(data), Err(Malformed), "{data:?}");
            let bytes = [&[1, 0, 0, 0], data].concat();
            assert_eq!(Fields::new(&bytes).unwrap().next_field(), Err(Malformed), "{data:?}");
        }
        assert_eq!(count(&[0, 0, 0, 0, 1, 0, 0, 0, 9]), Ok(2));
        assert_eq!(count(&[0, 0, 0, 0, 1, 0, 0, 0]), Err(Malformed));
    }

    #[test]
    fn numbers_have_four_bytes_or_eight() {
        assert_eq!(number(&[0xff; 4]), Ok(-1));
        assert_eq!(number(&[0, 0, 0, 0, 1, 0, 0, 0]), Ok(1 << 32));
        for length in [0, 1, 3, 5, 7, 9] {
            assert_eq!(number(&vec![0; length]), Err(Malformed), "{length}");
        }
        for bytes in [&[4, 1][..], &[8, 1, 2, 3, 4], &[5, 1, 2, 3, 4, 5], &[0, 1]] {
            assert_eq!(numbers(bytes).err(), Some(Malformed), "{bytes:?}");
        }
        assert!(matches!(numbers(&[4, 1, 0, 0, 0]), Ok(Numbers::Narrow([[1, 0, 0, 0]]))));
        assert!(matches!(numbers(&[7]), Ok(Numbers::Narrow([]))));
    }
}
