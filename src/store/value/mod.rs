//! The types of values, without keys, time or clients.
//!
//! Invariant: every value knows how much memory it takes, without counting again.

mod hash;
mod list;
mod order;
mod set;
mod sorted;
mod text;

pub use hash::Hash;
pub use list::{End, List};
pub use order::{Order, Ranked};
pub use set::Set;
pub use sorted::Sorted;
pub use text::Text;

/// Bytes a key takes beside its name and its value.
pub const KEY_OVERHEAD: usize = 96;
/// Bytes an element takes beside itself, in a list.
const ELEMENT_OVERHEAD: usize = 24;
/// Bytes a field or member takes beside itself, with its place in the table.
const MEMBER_OVERHEAD: usize = 56;
/// Most elements that Redis keeps in one piece, in their order, for hashes and sorted sets.
const COMPACT_LENGTH: usize = 128;
/// Longest element in such a piece.
const COMPACT_ELEMENT: usize = 64;

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A list.
    List(List),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A sorted set.
    Sorted(Sorted),
}

impl Value {
    /// The name that `TYPE` gives.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    /// The form in which Redis would keep it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Text(text) => text.encoding(),
            Self::List(_) => "quicklist",
            Self::Hash(hash) => hash.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Sorted(sorted) => sorted.encoding(),
        }
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        match self {
            Self::Text(text) => text.memory(),
            Self::List(list) => list.memory(),
            Self::Hash(hash) => hash.memory(),
            Self::Set(set) => set.memory(),
            Self::Sorted(sorted) => sorted.memory(),
        }
    }

    /// True for a collection without elements, which no key holds.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::List(list) => list.is_empty(),
            Self::Hash(hash) => hash.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
        }
    }
}

/// A type of value, for those who ask a key for one.
pub trait Kind: Into<Value> + Default {
    /// The value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// The same, to change it.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}

macro_rules! kind {
    ($($name:ident),*) => {
        $(
            impl Kind for $name {
                fn of(value: &Value) -> Option<&Self> {
                    if let Value::$name(value) = value { Some(value) } else { None }
                }

                fn of_mut(value: &mut Value) -> Option<&mut Self> {
                    if let Value::$name(value) = value { Some(value) } else { None }
                }
            }

            impl From<$name> for Value {
                fn from(value: $name) -> Self {
                    Self::$name(value)
                }
            }
        )*
    };
}

kind!(Text, List, Hash, Set, Sorted);
