//! Reads a document element by element.

use super::{Kind, LENGTH};

/// The bytes are no document, in the words that scripts know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// So many bytes are there, so many should be.
    #[error("Invalid bson block ({0}:{1})")]
    Short(usize, i64),
    /// A key or pattern does not end.
    #[error("Invalid bson block : cstring")]
    Name,
    /// A document does not end with a zero byte.
    #[error("Invalid document end")]
    End,
    /// The length of a text.
    #[error("Invalid bson string , length = {0}")]
    Length(i32),
    /// The kind of an element.
    #[error("Invalid bson type : {0}")]
    Kind(u8),
    /// Documents are too deep inside each other.
    #[error("Too depth while decoding bson (more than {0} levels)")]
    Depth(usize),
}

/// The value of an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A float.
    Double(f64),
    /// A text, not necessarily UTF-8.
    String(&'a [u8]),
    /// The bytes of a document.
    Document(&'a [u8]),
    /// The bytes of an array.
    Array(&'a [u8]),
    /// Bytes and their sort.
    Binary(u8, &'a [u8]),
    /// Twelve bytes.
    ObjectId(&'a [u8; 12]),
    /// A truth value.
    Boolean(bool),
    /// Milliseconds since 1970.
    Date(i64),
    /// A pattern and its options.
    Regex(&'a [u8], &'a [u8]),
    /// An integer of 32 bits.
    Int32(i32),
    /// The number within the second, and the second.
    Timestamp([&'a [u8; 4]; 2]),
    /// An integer of 64 bits.
    Int64(i64),
    /// A kind that is its own value.
    Mark(Kind),
    /// A kind that is not looked into, as it stands.
    Raw(Kind, &'a [u8]),
}

/// Where the value of an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The element's key.
    pub key: &'a [u8],
    /// Its kind.
    pub kind: Kind,
    /// How many bytes of the document were left there, the last one apart, if values of this kind
    /// all have the same width.
    pub at: Option<usize>,
}

/// The elements of a document that have not been read yet.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    rest: &'a [u8],
}

impl<'a> Document<'a> {
    /// The document that `bytes` begin with.
    ///
    /// # Errors
    /// When it is cut off, or does not end with a zero byte.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let mut reader = Document { rest: bytes };
        let length = i32::from_le_bytes(*reader.array()?);
        // The length counts itself and the zero byte at the end.
        let content = reader.slice(i64::from(length) - LENGTH as i64 - 1)?;
        match reader.array()? {
            [0] => Ok(Self { rest: content }),
            _ => Err(Invalid::End),
        }
    }

    /// Bytes of the elements not read yet.
    #[inline]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Invalid> {
        match self.rest.split_first_chunk::<N>() {
            Some((array, rest)) => {
                self.rest = rest;
                Ok(array)
            }
            None => Err(Invalid::Short(self.rest.len(), N as i64)),
        }
    }

    #[inline]
    fn slice(&mut self, length: i64) -> Result<&'a [u8], Invalid> {
        let split = usize::try_from(length).ok().and_then(|at| self.rest.split_at_checked(at));
        match split {
            Some((slice, rest)) => {
                self.rest = rest;
                Ok(slice)
            }
            None => Err(Invalid::Short(self.rest.len(), length)),
        }
    }

    #[inline]
    fn length(&mut self) -> Result<i32, Invalid> {
        self.array().map(|bytes| i32::from_le_bytes(*bytes))
    }

    #[inline]
    fn name(&mut self) -> Result<&'a [u8], Invalid> {
        /// Most keys are short: they are looked through byte by byte.
        const SHORT: usize = 16;
        let short = &self.rest[..self.rest.len().min(SHORT)];
        let end = short
            .iter()
            .position(|byte| *byte == 0)
            .or_else(|| memchr::memchr(0, self.rest))
            .ok_or(Invalid::Name)?;
        let name = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(name)
    }

    /// A piece that begins with its own length, and what more belongs to it.
    #[inline]
    fn piece(&mut self, more: i64) -> Result<&'a [u8], Invalid> {
        let whole = self.rest;
        let length = i64::from(self.length()?) + more;
        self.slice(length)?;
        Ok(&whole[..whole.len() - self.rest.len()])
    }

    /// The next element; `None` at the end.
    ///
    /// # Errors
    /// When it is cut off or of no known kind.
    #[inline]
    pub fn next_element(&mut self) -> Result<Option<(&'a [u8], Value<'a>)>, Invalid> {
        let Some((number, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let key = self.name()?;
        let kind = Kind::from_number(*number).ok_or(Invalid::Kind(*number))?;
        Ok(Some((key, self.value(kind)?)))
    }

    /// A value that stands alone.
    #[inline]
    fn value(&mut self, kind: Kind) -> Result<Value<'a>, Invalid> {
        Ok(match kind {
            Kind::Double => Value::Double(f64::from_le_bytes(*self.array()?)),
            Kind::String => {
                let length = self.length()?;
                if length <= 0 {
                    return Err(Invalid::Length(length));
                }
                let text = self.slice(length.into())?;
                Value::String(&text[..text.len() - 1])
            }
            Kind::Document => Value::Document(self.piece(-(LENGTH as i64))?),
            Kind::Array => Value::Array(self.piece(-(LENGTH as i64))?),
            Kind::Binary => {
                let length = self.length()?;
                let [sort] = *self.array()?;
                Value::Binary(sort, self.slice(length.into())?)
            }
            Kind::ObjectId => Value::ObjectId(self.array()?),
            Kind::Boolean => Value::Boolean(*self.array()? != [0]),
            Kind::Date => Value::Date(i64::from_le_bytes(*self.array()?)),
            Kind::Regex => Value::Regex(self.name()?, self.name()?),
            Kind::Int32 => Value::Int32(i32::from_le_bytes(*self.array()?)),
            Kind::Timestamp => Value::Timestamp([self.array()?, self.array()?]),
            Kind::Int64 => Value::Int64(i64::from_le_bytes(*self.array()?)),
            Kind::Null | Kind::MinKey | Kind::MaxKey => Value::Mark(kind),
            Kind::DbPointer => Value::Raw(kind, self.piece(12)?),
            Kind::Code | Kind::Symbol => Value::Raw(kind, self.piece(0)?),
            Kind::CodeWithScope => Value::Raw(kind, self.piece(-(LENGTH as i64))?),
        })
    }

    /// How many elements are left.
    ///
    /// # Errors
    /// As for reading them.
    pub fn count(&self) -> Result<usize, Invalid> {
        let mut ahead = self.clone();
        let mut elements = 0;
        while ahead.next_element()?.is_some() {
            elements += 1;
        }
        Ok(elements)
    }

    /// The place of the next element's value.
    ///
    /// # Errors
    /// As for reading it.
    pub fn next_place(&mut self) -> Result<Option<Place<'a>>, Invalid> {
        let Some((number, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let key = self.name()?;
        let kind = Kind::from_number(*number).ok_or(Invalid::Kind(*number))?;
        let left = self.left();
        self.value(kind)?;
        let at = kind.width().filter(|width| *width > 0).map(|_| left);
        Ok(Some(Place { key, kind, at }))
    }
}

/// The place in a list, from 1, that a key of an array means.
#[inline]
pub fn array_index(key: &[u8]) -> i64 {
    let blanks = key.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let (is_negative, digits) = match &key[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    (if is_negative { -number } else { number }).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(&[u8], Value<'_>)>, Invalid> {
        let mut document = Document::new(bytes)?;
        let mut elements = Vec::new();
        while let Some(element) = document.next_element()? {
            elements.push(element);
        }
        Ok(elements)
    }

    #[test]
    fn the_example_of_the_specification() {
        let bytes = b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0";
        assert_eq!(read(bytes), Ok(vec![(&b"hello"[..], Value::String(b"world"))]));
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_refused() {
        let bytes = b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0";
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(read(&[4, 0, 0, 0, 0]), Err(Invalid::Short(1, -1)));
        assert_eq!(read(&[255, 255, 255, 255, 0]), Err(Invalid::Short(1, -6)));
        assert_eq!(read(&[5, 0, 0, 0, 1]), Err(Invalid::End));
        assert_eq!(read(b"\x06\0\0\0\x06\0"), Err(Invalid::Name));
        assert_eq!(read(b"\x07\0\0\0\x06\0\0"), Err(Invalid::Kind(6)));
        assert_eq!(read(b"\x0b\0\0\0\x02\0\0\0\0\0\0"), Err(Invalid::Length(0)));
        assert_eq!(read(b"\x0b\0\0\0\x02\0\xff\xff\xff\xff\0"), Err(Invalid::Length(-1)));
        assert_eq!(
            read(b"\x0b\0\0\0\x03\0\xff\xff\xff\x7f\0").err().map(|e| e.to_string()),
            Some("Invalid bson block (0:2147483643)".to_owned())
        );
    }

    #[test]
    fn keys_of_arrays_are_read_as_numbers() {
        let known: [(&[u8], i64); 6] =
            [(b"0", 1), (b"41", 42), (b"", 1), (b"x", 1), (b"-2", -1), (b"007x", 8)];
        for (key, index) in known {
            assert_eq!(array_index(key), index);
        }
        assert_eq!(array_index(&[b'9'; 40]), i64::MAX);
    }

    #[test]
    fn numbers_of_kinds_lead_to_them() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), Some(*kind));
        }
        assert_eq!(Kind::from_number(6), None);
    }
}
