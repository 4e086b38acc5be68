//! An immutable tree of tables: what services share.
//!
//! All tables of a tree lie in a few flat arrays. A table has an array part and named entries; its
//! names are a **shape**, which tables with the same names have in common, so a list of rows costs
//! the names once.
//!
//! Invariant: a tree is never changed. Every index in it leads to something of the same tree.

use super::hash;

/// A table of a tree.
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
    /// A string, by its number.
    String(u32),
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

#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Where its values start: the array part, then those of the shape's names in order.
    pub(super) values: u32,
    pub(super) array: u32,
    pub(super) shape: u32,
}

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

#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) hash: u32,
}

/// An immutable tree of tables.
#[derive(Debug)]
pub struct Tree {
    pub(super) seed: u64,
    pub(super) tables: Box<[Table]>,
    pub(super) values: Box<[Value]>,
    pub(super) shapes: Box<[Shape]>,
    pub(super) names: Box<[Value]>,
    pub(super) slots: Box<[u32]>,
    pub(super) texts: Box<[Text]>,
    pub(super) bytes: Box<[u8]>,
    pub(super) functions: Box<[Box<[u8]>]>,
}

impl Tree {
    /// What `table` has under `key`; nil if nothing.
    #[inline]
    pub fn get(&self, table: Node, key: Key<'_>) -> Value {
        let head = self.tables[table.0 as usize];
        if let Key::Integer(index) = key
            && let Some(at) = in_array(index, head.array)
        {
            return self.values[(head.values + at) as usize];
        }
        self.position(head.shape, key).map_or(Value::Nil, |at| {
            self.values[head.values as usize + head.array as usize + at as usize]
        })
    }

    /// Length of the array part.
    #[inline]
    pub fn length(&self, table: Node) -> u32 {
        self.tables[table.0 as usize].array
    }

    /// Number of named entries.
    #[inline]
    pub fn named(&self, table: Node) -> u32 {
        self.shapes[self.tables[table.0 as usize].shape as usize].count
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
        let head = self.tables[table.0 as usize];
        let shape = self.shapes[head.shape as usize];
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
            let value = self.values[(head.values + at) as usize];
            if value != Value::Nil {
                return Ok(Some((Value::Integer(i64::from(at) + 1), value)));
            }
        }
        let at = from.max(head.array);
        if at - head.array >= shape.count {
            return Ok(None);
        }
        let name = self.names[(shape.names + at - head.array) as usize];
        Ok(Some((name, self.values[(head.values + at) as usize])))
    }

    /// The entry at a position from 0 on, array part first; `None` behind the last.
    pub fn entry(&self, table: Node, position: u32) -> Option<(Value, Value)> {
        let head = self.tables[table.0 as usize];
        let name = match position.checked_sub(head.array) {
            None => Value::Integer(i64::from(position) + 1),
            Some(at) => {
                let shape = self.shapes[head.shape as usize];
                if at >= shape.count {
                    return None;
                }
                self.names[(shape.names + at) as usize]
            }
        };
        Some((name, self.values[(head.values + position) as usize]))
    }

    /// The bytes of a string.
    #[inline]
    pub fn text(&self, number: u32) -> &[u8] {
        let text = self.texts[number as usize];
        &self.bytes[text.start as usize..][..text.length as usize]
    }

    /// The code of a function.
    pub fn function(&self, number: u32) -> &[u8] {
        &self.functions[number as usize]
    }

    /// Number of tables.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Bytes of memory it takes.
    pub fn size(&self) -> usize {
        size_of_val(&*self.tables)
            + size_of_val(&*self.values)
            + size_of_val(&*self.shapes)
            + size_of_val(&*self.names)
            + size_of_val(&*self.slots)
            + size_of_val(&*self.texts)
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
            if self.is(self.names[(shape.names + at) as usize], key, hash) {
                return Some(at);
            }
            slot = (slot + 1) & shape.mask;
        }
    }

    #[inline]
    fn is(&self, name: Value, key: Key<'_>, hash: u32) -> bool {
        match (name, key) {
            (Value::String(number), Key::String(text)) => {
                self.texts[number as usize].hash == hash && self.text(number) == text
            }
            (Value::Integer(name), Key::Integer(key)) => name == key,
            (Value::Float(name), Key::Float(key)) => name == key,
            (Value::Boolean(name), Key::Boolean(key)) => name == key,
            (Value::Pointer(name), Key::Pointer(key)) => name == key,
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
