//! An immutable tree of tables: what services share.
//!
//! All tables of a tree lie in one flat array: the head of a table, and its values right behind, with
//! short strings in them, so that a row that nobody has read lately is one or two cache lines. A table
//! has an array part and named entries; its names are a **shape**, which tables with the same names
//! have in common, so a list of rows costs the names once.
//!
//! Invariant: a tree is never changed. Every index in it leads to something of the same tree, and
//! what is asked for with a number of another one is an empty table.

use super::hash;
use super::text::Text;

/// A table of a tree: where its head is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node(pub u32);

impl Node {
    /// The outermost table.
    pub const ROOT: Self = Self(0);
}

/// A value in a table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// Nothing; inside an array part only.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(Text),
    /// A table.
    Table(Node),
    /// An address that means something to those who put it there.
    Pointer(usize),
    /// A function as code, by its number.
    Function(u32),
}

/// What a table is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Key<'a> {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(&'a [u8]),
    /// An address.
    Pointer(usize),
}

/// What to go on from while a table is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing;

/// What stands in front of the values of a table: the array part, then those of the shape's names in
/// order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) array: u32,
    pub(super) shape: u32,
    /// Counts the tables, in the order in which they were opened.
    pub(super) number: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Head(Head),
    Value(Value),
}

/// A head is no larger than a value, and neither than 16 bytes: a row of three is a cache line.
const _: () = assert!(size_of::<Cell>() == 16);

#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Where its names start in `names`.
    pub(super) names: u32,
    pub(super) count: u32,
    /// Where its slots start in `slots`: positions plus one, or zero; open addressing.
    pub(super) slots: u32,
    /// Number of slots less one; a power of two less one.
    pub(super) mask: u32,
}

/// An immutable tree of tables.
#[derive(Debug)]
pub struct Tree {
    pub(super) seed: u64,
    pub(super) cells: Box<[Cell]>,
    pub(super) tables: u32,
    pub(super) shapes: Box<[Shape]>,
    pub(super) names: Box<[Value]>,
    pub(super) slots: Box<[u32]>,
    pub(super) bytes: Box<[u8]>,
    pub(super) functions: Box<[Box<[u8]>]>,
}

impl Tree {
    #[inline]
    fn head(&self, table: Node) -> Option<Head> {
        match self.cells.get(table.0 as usize) {
            Some(Cell::Head(head)) => Some(*head),
            _ => None,
        }
    }

    /// The value at a position of a table, from 0 on.
    #[inline]
    fn value(&self, table: Node, position: u32) -> Value {
        match self.cells.get(table.0 as usize + 1 + position as usize) {
            Some(Cell::Value(value)) => *value,
            _ => Value::Nil,
        }
    }

    fn shape(&self, head: Head) -> Shape {
        self.shapes[head.shape as usize]
    }

    /// What `table` has under `key`; nil if nothing.
    #[inline]
    pub fn get(&self, table: Node, key: Key<'_>) -> Value {
        let Some(head) = self.head(table) else { return Value::Nil };
        if let Key::Integer(index) = key
            && let Some(at) = in_array(index, head.array)
        {
            return self.value(table, at);
        }
        match self.position(head.shape, key) {
            Some(at) => self.value(table, head.array + at),
            None => Value::Nil,
        }
    }

    /// True when there is such a table.
    pub fn has(&self, table: Node) -> bool {
        self.head(table).is_some()
    }

    /// Where a table lies in memory, for those who fetch it before they read it.
    #[inline]
    pub fn address(&self, table: Node) -> *const u8 {
        self.cells.as_ptr().wrapping_add(table.0 as usize).cast()
    }

    /// Length of the array part.
    #[inline]
    pub fn length(&self, table: Node) -> u32 {
        self.head(table).map_or(0, |head| head.array)
    }

    /// Number of named entries.
    #[inline]
    pub fn named(&self, table: Node) -> u32 {
        self.head(table).map_or(0, |head| self.shape(head).count)
    }

    /// The entry behind the one with `key`, or the first one; `None` at the end.
    ///
    /// # Errors
    /// When the table has no entry with `key`.
    pub fn next(
        &self,
        table: Node,
        key: Option<Key<'_>>,
    ) -> Result<Option<(Value, Value)>, Missing> {
        let Some(head) = self.head(table) else {
            return if key.is_none() { Ok(None) } else { Err(Missing) };
        };
        let shape = self.shape(head);
        let from = match key {
            None => 0,
            Some(Key::Integer(index)) if in_array(index, head.array).is_some() => {
                in_array(index, head.array).map_or(0, |at| at + 1)
            }
            Some(key) => {
                let at = self.position(head.shape, key).ok_or(Missing)?;
                head.array + at + 1
            }
        };
        for at in from..head.array {
            let value = self.value(table, at);
            if value != Value::Nil {
                return Ok(Some((Value::Integer(i64::from(at) + 1), value)));
            }
        }
        let at = from.max(head.array);
        if at - head.array >= shape.count {
            return Ok(None);
        }
        let name = self.names[(shape.names + at - head.array) as usize];
        Ok(Some((name, self.value(table, at))))
    }

    /// The entry at a position from 0 on, array part first; `None` behind the last.
    pub fn entry(&self, table: Node, position: u32) -> Option<(Value, Value)> {
        let head = self.head(table)?;
        let name = match position.checked_sub(head.array) {
            None => Value::Integer(i64::from(position) + 1),
            Some(at) => {
                let shape = self.shape(head);
                if at >= shape.count {
                    return None;
                }
                self.names[(shape.names + at) as usize]
            }
        };
        Some((name, self.value(table, position)))
    }

    /// The bytes of a string.
    #[inline]
    pub fn text<'a>(&'a self, text: &'a Text) -> &'a [u8] {
        text.bytes(&self.bytes)
    }

    /// The code of a function.
    pub fn function(&self, number: u32) -> &[u8] {
        self.functions.get(number as usize).map_or(&[], |code| code)
    }

    /// Number of tables.
    pub fn tables(&self) -> usize {
        self.tables as usize
    }

    /// How many tables were opened before this one.
    pub fn number(&self, table: Node) -> Option<u32> {
        self.head(table).map(|head| head.number)
    }

    /// All tables, by their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        let places = (0..).zip(self.cells.iter());
        places.filter(|(_, cell)| matches!(cell, Cell::Head(_))).map(|(place, _)| Node(place))
    }

    /// Bytes of memory it takes.
    pub fn size(&self) -> usize {
        size_of_val(&*self.cells)
            + size_of_val(&*self.shapes)
            + size_of_val(&*self.names)
            + size_of_val(&*self.slots)
            + self.bytes.len()
            + self.functions.iter().map(|code| code.len()).sum::<usize>()
            + size_of::<Self>()
    }

    /// Where a shape has `key`.
    #[inline]
    fn position(&self, shape: u32, key: Key<'_>) -> Option<u32> {
        let shape = self.shapes[shape as usize];
        if shape.count == 0 {
            return None;
        }
        let hash = hash_of(self.seed, key);
        let mut slot = hash & shape.mask;
        loop {
            let at = self.slots[(shape.slots + slot) as usize].checked_sub(1)?;
            if self.is(&self.names[(shape.names + at) as usize], key) {
                return Some(at);
            }
            slot = (slot + 1) & shape.mask;
        }
    }

    #[inline]
    fn is(&self, name: &Value, key: Key<'_>) -> bool {
        match (name, key) {
            (Value::String(name), Key::String(key)) => self.text(name) == key,
            (Value::Integer(name), Key::Integer(key)) => *name == key,
            (Value::Float(name), Key::Float(key)) => *name == key,
            (Value::Boolean(name), Key::Boolean(key)) => *name == key,
            (Value::Pointer(name), Key::Pointer(key)) => *name == key,
            _ => false,
        }
    }
}

/// The position of an index in an array part.
#[inline]
fn in_array(index: i64, array: u32) -> Option<u32> {
    let at = u32::try_from(index.wrapping_sub(1)).ok()?;
    (at < array).then_some(at)
}

/// The hash of a key.
#[inline]
pub(super) fn hash_of(seed: u64, key: Key<'_>) -> u32 {
    match key {
        Key::String(text) => hash::bytes(seed, text),
        Key::Integer(value) => hash::word(seed, value.cast_unsigned()),
        Key::Float(value) => hash::word(seed, value.to_bits()),
        Key::Boolean(value) => hash::word(seed, u64::from(value)),
        Key::Pointer(value) => hash::word(seed, value as u64),
    }
}
