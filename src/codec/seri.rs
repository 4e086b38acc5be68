//! The serialisation of `skynet.pack`: one head byte (type in the low 3 bits, argument in the
//! high 5), then the value, everything little-endian.
//!
//! Source: reference 15; checked byte for byte against `tests/vectors/seri`.
//! Invariant: reading never goes past the end of the input, whatever the bytes say.
//! Not here: walking Lua values (`vm/seri.rs`).

const TYPE_NIL: u8 = 0;
const TYPE_BOOLEAN: u8 = 1;
const TYPE_NUMBER: u8 = 2;
const TYPE_POINTER: u8 = 3;
const TYPE_SHORT_STRING: u8 = 4;
const TYPE_LONG_STRING: u8 = 5;
const TYPE_TABLE: u8 = 6;

const NUMBER_ZERO: u8 = 0;
const NUMBER_BYTE: u8 = 1;
const NUMBER_WORD: u8 = 2;
const NUMBER_DWORD: u8 = 4;
const NUMBER_QWORD: u8 = 6;
const NUMBER_REAL: u8 = 8;

const TYPE_BITS: u32 = 3;
const TYPE_MASK: u8 = (1 << TYPE_BITS) - 1;
/// Largest argument that stands for itself; also the first length that no longer fits a head.
const LARGEST_ARGUMENT: usize = 31;

/// Nesting that reading accepts. Nothing deeper is ever written; bytes that ask for more are no
/// stream of ours.
pub const MAX_READ_DEPTH: usize = 2 * MAX_DEPTH;

/// Deepest nesting of tables that is written: a value inside 33 tables is refused, an empty table
/// inside 32 others is not.
pub const MAX_DEPTH: usize = 32;

const fn head(kind: u8, argument: u8) -> u8 {
    kind | argument << TYPE_BITS
}

/// Appends nil; it also ends the pairs of a table.
#[inline]
pub fn put_nil(out: &mut Vec<u8>) {
    out.push(head(TYPE_NIL, 0));
}

/// Appends a boolean.
#[inline]
pub fn put_boolean(out: &mut Vec<u8>, value: bool) {
    out.push(head(TYPE_BOOLEAN, u8::from(value)));
}

/// Appends an integer in the smallest form the format has for it.
#[inline]
pub fn put_integer(out: &mut Vec<u8>, value: i64) {
    if value == 0 {
        out.push(head(TYPE_NUMBER, NUMBER_ZERO));
    } else if let Ok(byte) = u8::try_from(value) {
        out.extend_from_slice(&[head(TYPE_NUMBER, NUMBER_BYTE), byte]);
    } else if let Ok(word) = u16::try_from(value) {
        let [low, high] = word.to_le_bytes();
        out.extend_from_slice(&[head(TYPE_NUMBER, NUMBER_WORD), low, high]);
    } else if let Ok(dword) = i32::try_from(value) {
        let [a, b, c, d] = dword.to_le_bytes();
        out.extend_from_slice(&[head(TYPE_NUMBER, NUMBER_DWORD), a, b, c, d]);
    } else {
        put_wide(out, NUMBER_QWORD, value.to_le_bytes());
    }
}

/// Appends a float, always as 8 bytes.
#[inline]
pub fn put_float(out: &mut Vec<u8>, value: f64) {
    put_wide(out, NUMBER_REAL, value.to_le_bytes());
}

#[inline]
fn put_wide(out: &mut Vec<u8>, width: u8, bytes: [u8; 8]) {
    let mut record = [head(TYPE_NUMBER, width); 9];
    record[1..].copy_from_slice(&bytes);
    out.extend_from_slice(&record);
}

/// Appends a light userdata, which means something only inside this process.
#[inline]
pub fn put_pointer(out: &mut Vec<u8>, value: u64) {
    out.push(head(TYPE_POINTER, 0));
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a string. False when it is too long for the format (4 GiB); nothing is written then.
#[inline]
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "each branch checks the range")]
pub fn put_string(out: &mut Vec<u8>, value: &[u8]) -> bool {
    let length = value.len();
    if length <= LARGEST_ARGUMENT {
        out.push(head(TYPE_SHORT_STRING, length as u8));
    } else if let Ok(length) = u16::try_from(length) {
        out.push(head(TYPE_LONG_STRING, 2));
        out.extend_from_slice(&length.to_le_bytes());
    } else if let Ok(length) = u32::try_from(length) {
        out.push(head(TYPE_LONG_STRING, 4));
        out.extend_from_slice(&length.to_le_bytes());
    } else {
        return false;
    }
    out.extend_from_slice(value);
    true
}

/// Begins a table: `array` values follow, then keys and values in turn, then a nil.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the branch checks the range")]
pub fn put_table(out: &mut Vec<u8>, array: usize) {
    if array < LARGEST_ARGUMENT {
        out.push(head(TYPE_TABLE, array as u8));
    } else {
        out.push(head(TYPE_TABLE, LARGEST_ARGUMENT as u8));
        put_integer(out, i64::try_from(array).unwrap_or(i64::MAX));
    }
}

/// One value read from a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    /// nil, or the end of a table's pairs.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A light userdata.
    Pointer(u64),
    /// A string.
    String(&'a [u8]),
    /// A table: so many array values follow, then pairs up to a nil.
    Table(usize),
}

/// The stream ends inside a value or says something that the format does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// Bytes that were left where reading stopped, as skynet's text shows them.
    pub left: usize,
}

/// Reads values off a byte stream.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when everything has been read.
    #[inline]
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes not read yet.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    fn invalid<T>(&self) -> Result<T, Invalid> {
        Err(Invalid { left: self.rest.len() })
    }

    #[inline]
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Invalid> {
        match self.rest.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => self.invalid(),
        }
    }

    #[inline]
    fn slice(&mut self, length: usize) -> Result<&'a [u8], Invalid> {
        match self.rest.split_at_checked(length) {
            Some((slice, rest)) => {
                self.rest = rest;
                Ok(slice)
            }
            None => self.invalid(),
        }
    }

    /// Reads the next value, or the head of the next table.
    ///
    /// # Errors
    /// When the stream is at its end, ends inside the value, or names an unknown type.
    #[inline(always)]
    pub fn next_item(&mut self) -> Result<Item<'a>, Invalid> {
        let [first] = self.bytes()?;
        let argument = first >> TYPE_BITS;
        match first & TYPE_MASK {
            TYPE_NIL => Ok(Item::Nil),
            TYPE_BOOLEAN => Ok(Item::Boolean(argument != 0)),
            TYPE_NUMBER => self.number(argument),
            TYPE_POINTER => Ok(Item::Pointer(u64::from_le_bytes(self.bytes()?))),
            TYPE_SHORT_STRING => Ok(Item::String(self.slice(usize::from(argument))?)),
            TYPE_LONG_STRING => {
                let length = match argument {
                    2 => usize::from(u16::from_le_bytes(self.bytes()?)),
                    4 => u32::from_le_bytes(self.bytes()?) as usize,
                    _ => return self.invalid(),
                };
                Ok(Item::String(self.slice(length)?))
            }
            TYPE_TABLE => self.table(usize::from(argument)),
            _ => self.invalid(),
        }
    }

    #[inline]
    fn number(&mut self, width: u8) -> Result<Item<'a>, Invalid> {
        Ok(match width {
            NUMBER_ZERO => Item::Integer(0),
            NUMBER_BYTE => Item::Integer(i64::from(self.bytes::<1>()?[0])),
            NUMBER_WORD => Item::Integer(i64::from(u16::from_le_bytes(self.bytes()?))),
            NUMBER_DWORD => Item::Integer(i64::from(i32::from_le_bytes(self.bytes()?))),
            NUMBER_QWORD => Item::Integer(i64::from_le_bytes(self.bytes()?)),
            NUMBER_REAL => Item::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return self.invalid(),
        })
    }

    /// Reads the rest of a table of `array` values without building it, and appends the number of
    /// its pairs to `pairs`, before those of the tables inside it. Whoever builds it afterwards
    /// knows every size, and that the bytes are sound.
    ///
    /// # Errors
    /// As `next_item`, and when tables are nested deeper than `depth`.
    pub fn measure_table(
        &mut self,
        array: usize,
        depth: usize,
        pairs: &mut Vec<u32>,
    ) -> Result<(), Invalid> {
        // Each value takes at least a byte, so a length beyond the input is a lie.
        if depth == 0 || array > self.left() {
            return self.invalid();
        }
        let own = pairs.len();
        pairs.push(0);
        for _ in 0..array {
            let item = self.next_item()?;
            self.measure_item(item, depth, pairs)?;
        }
        loop {
            let key = self.next_item()?;
            match key {
                Item::Nil => return Ok(()),
                // No Lua has such a key, so no Lua has written it.
                Item::Float(value) if value.is_nan() => return self.invalid(),
                _ => self.measure_item(key, depth, pairs)?,
            }
            let value = self.next_item()?;
            self.measure_item(value, depth, pairs)?;
            pairs[own] += 1;
        }
    }

    #[inline]
    fn measure_item(
        &mut self,
        item: Item<'_>,
        depth: usize,
        pairs: &mut Vec<u32>,
    ) -> Result<(), Invalid> {
        match item {
            Item::Table(array) => self.measure_table(array, depth - 1, pairs),
            _ => Ok(()),
        }
    }

    fn table(&mut self, argument: usize) -> Result<Item<'a>, Invalid> {
        if argument < LARGEST_ARGUMENT {
            return Ok(Item::Table(argument));
        }
        let [first] = self.bytes()?;
        if first & TYPE_MASK != TYPE_NUMBER || first >> TYPE_BITS == NUMBER_REAL {
            return self.invalid();
        }
        match self.number(first >> TYPE_BITS)? {
            Item::Integer(length) => match usize::try_from(length) {
                Ok(length) => Ok(Item::Table(length)),
                Err(_) => self.invalid(),
            },
            _ => self.invalid(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put_integer(&mut out, value);
        out
    }

    #[test]
    fn integers_take_the_smallest_form() {
        assert_eq!(integer(0), [0x02]);
        assert_eq!(integer(255), [0x0a, 0xff]);
        assert_eq!(integer(256), [0x12, 0x00, 0x01]);
        assert_eq!(integer(65_536), [0x22, 0, 0, 1, 0]);
        assert_eq!(integer(-1), [0x22, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(integer(1 << 31), [0x32, 0, 0, 0, 0x80, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_cut_off_is_invalid_and_says_how_much_was_left() {
        let invalid = |bytes: &[u8]| Reader::new(bytes).next_item().unwrap_err().left;
        assert_eq!(invalid(&[]), 0);
        assert_eq!(invalid(&[0x07]), 0);
        assert_eq!(invalid(&[0x22, 1]), 1);
        assert_eq!(invalid(&[0x2c, 0x61]), 1);
        assert_eq!(invalid(&[0xfe]), 0);
    }

    #[test]
    fn long_strings_and_tables_come_back() {
        for length in [0_usize, 31, 32, 65_535, 65_536] {
            let text = vec![b's'; length];
            let mut out = Vec::new();
            assert!(put_string(&mut out, &text));
            assert_eq!(Reader::new(&out).next_item(), Ok(Item::String(&text)));
            let mut out = Vec::new();
            put_table(&mut out, length);
            assert_eq!(Reader::new(&out).next_item(), Ok(Item::Table(length)));
        }
    }
}
