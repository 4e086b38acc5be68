//! A string: bytes, or an integer that is kept as one.
//!
//! Invariant: an integer and its text are one and the same to whoever reads it.

use std::borrow::Cow;

use crate::codec::resp::request::integer;
use crate::store::number::integer_text;

/// Longest string that Redis keeps in one block with its head.
const EMBEDDED_LIMIT: usize = 44;

/// A string.
#[derive(Clone, Debug)]
pub struct Text(Form);

#[derive(Clone, Debug)]
enum Form {
    Integer(i64),
    Bytes(Vec<u8>),
    /// Bytes that were changed in place, for which Redis leaves room.
    Edited(Vec<u8>),
}

impl Default for Text {
    fn default() -> Self {
        Self(Form::Edited(Vec::new()))
    }
}

impl Text {
    /// A string as a client gives it.
    pub fn new(bytes: &[u8]) -> Self {
        Self(integer(bytes).map_or_else(|| Form::Bytes(bytes.to_vec()), Form::Integer))
    }

    /// A string that stays bytes, also if it could be an integer.
    pub fn plain(bytes: Vec<u8>) -> Self {
        Self(Form::Bytes(bytes))
    }

    /// A counter.
    pub fn counter(value: i64) -> Self {
        Self(Form::Integer(value))
    }

    /// The bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Form::Integer(value) => Cow::Owned(integer_text(*value)),
            Form::Bytes(bytes) | Form::Edited(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The bytes, for good.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Form::Integer(value) => integer_text(value),
            Form::Bytes(bytes) | Form::Edited(bytes) => bytes,
        }
    }

    /// The bytes, to change them in place.
    pub fn edit(&mut self) -> &mut Vec<u8> {
        if let Form::Integer(_) | Form::Bytes(_) = self.0 {
            let bytes = std::mem::take(self).into_bytes();
            self.0 = Form::Edited(bytes);
        }
        match &mut self.0 {
            Form::Edited(bytes) | Form::Bytes(bytes) => bytes,
            Form::Integer(_) => unreachable!("it was just turned into bytes"),
        }
    }

    /// The integer it is, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match &self.0 {
            Form::Integer(value) => Some(*value),
            Form::Bytes(bytes) | Form::Edited(bytes) => integer(bytes),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// True when there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Integer(_) => "int",
            Form::Bytes(bytes) if bytes.len() <= EMBEDDED_LIMIT => "embstr",
            Form::Bytes(_) | Form::Edited(_) => "raw",
        }
    }

    pub(super) fn memory(&self) -> usize {
        match &self.0 {
            Form::Integer(_) => 0,
            Form::Bytes(bytes) | Form::Edited(bytes) => bytes.capacity(),
        }
    }
}
