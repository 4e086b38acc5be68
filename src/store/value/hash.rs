//! A hash: fields with values, in the order in which they came while there are few.
//!
//! Invariant: walking down from the last place to the first meets every field that stays, whatever
//! is added and removed meanwhile: a removal moves fields only to places that come later on the way.

use indexmap::IndexMap;

use super::{COMPACT_ELEMENT, COMPACT_LENGTH, MEMBER_OVERHEAD};

/// A hash.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    fields: IndexMap<Box<[u8]>, Box<[u8]>>,
    bytes: usize,
    /// Once too large for one piece, a hash keeps no order.
    large: bool,
}

impl Hash {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// True when there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields.get(field).map(|value| &**value)
    }

    /// The field at a place, with its value.
    pub fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        self.fields.get_index(index).map(|(field, value)| (&**field, &**value))
    }

    /// Sets a field; true when it is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.large |= field.len().max(value.len()) > COMPACT_ELEMENT;
        if let Some(place) = self.fields.get_mut(field) {
            self.bytes = self.bytes - place.len() + value.len();
            *place = value.into();
            return false;
        }
        self.bytes += field.len() + value.len();
        self.fields.insert(field.into(), value.into());
        self.large |= self.fields.len() > COMPACT_LENGTH;
        true
    }

    /// Removes a field; true when it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let removed = if self.large {
            self.fields.swap_remove_entry(field)
        } else {
            self.fields.shift_remove_entry(field)
        };
        let Some((field, value)) = removed else { return false };
        self.bytes -= field.len() + value.len();
        true
    }

    /// The fields with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(field, value)| (&**field, &**value))
    }

    /// True while Redis would keep it in one piece.
    pub fn is_compact(&self) -> bool {
        !self.large
    }

    pub(super) fn encoding(&self) -> &'static str {
        if self.large { "hashtable" } else { "listpack" }
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.fields.len() * MEMBER_OVERHEAD
    }
}
