//! A set: integers in order while there are only few and nothing else, else a table.
//!
//! Invariant: as for hashes, walking down from the last place meets every member that stays. The
//! integers are walked in one piece.

use std::borrow::Cow;

use indexmap::IndexSet;

use super::MEMBER_OVERHEAD;
use crate::codec::resp::request::integer;
use crate::store::number::integer_text;

/// Most integers in the small form.
const INTEGERS: usize = 512;

/// A set.
#[derive(Clone, Debug)]
pub struct Set {
    members: Members,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Members {
    Integers(Vec<i64>),
    Table(IndexSet<Box<[u8]>>),
}

impl Default for Set {
    fn default() -> Self {
        Self { members: Members::Integers(Vec::new()), bytes: 0 }
    }
}

impl Set {
    /// Number of members.
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Integers(numbers) => numbers.len(),
            Members::Table(table) => table.len(),
        }
    }

    /// True when there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has the member.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.members {
            Members::Integers(numbers) => {
                integer(member).is_some_and(|number| numbers.binary_search(&number).is_ok())
            }
            Members::Table(table) => table.contains(member),
        }
    }

    /// Adds a member; true when it is new.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        if let Members::Integers(numbers) = &mut self.members {
            let place = integer(member).map(|number| (number, numbers.binary_search(&number)));
            match place {
                Some((_, Ok(_))) => return false,
                Some((number, Err(place))) => {
                    numbers.insert(place, number);
                    if numbers.len() > INTEGERS {
                        self.widen();
                    }
                    return true;
                }
                None => self.widen(),
            }
        }
        let Members::Table(table) = &mut self.members else { return false };
        let new = !table.contains(member);
        if new {
            table.insert(member.into());
            self.bytes += member.len();
        }
        new
    }

    fn widen(&mut self) {
        let table: IndexSet<Box<[u8]>> = self.iter().map(|member| (*member).into()).collect();
        self.bytes = table.iter().map(|member| member.len()).sum();
        self.members = Members::Table(table);
    }

    /// Removes a member; true when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.members {
            Members::Integers(numbers) => {
                let place = integer(member).and_then(|number| numbers.binary_search(&number).ok());
                place.map(|place| numbers.remove(place)).is_some()
            }
            Members::Table(table) => {
                let removed = table.swap_remove(member);
                self.bytes -= if removed { member.len() } else { 0 };
                removed
            }
        }
    }

    /// The member at a place.
    pub fn at(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        match &self.members {
            Members::Integers(numbers) => {
                numbers.get(index).map(|number| Cow::Owned(integer_text(*number)))
            }
            Members::Table(table) => table.get_index(index).map(|member| Cow::Borrowed(&**member)),
        }
    }

    /// The members.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// True while it holds nothing but few integers.
    pub fn is_compact(&self) -> bool {
        matches!(self.members, Members::Integers(_))
    }

    pub(super) fn encoding(&self) -> &'static str {
        if self.is_compact() { "intset" } else { "hashtable" }
    }

    pub(super) fn memory(&self) -> usize {
        match &self.members {
            Members::Integers(numbers) => numbers.len() * size_of::<i64>(),
            Members::Table(table) => self.bytes + table.len() * MEMBER_OVERHEAD,
        }
    }
}
