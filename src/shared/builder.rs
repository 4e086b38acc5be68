//! Building a tree, table by table.
//!
//! Whoever walks the source opens a table, adds its entries, and closes it; tables inside it are
//! opened and closed meanwhile. Strings and the lists of names are kept once.
//!
//! Invariant: a table has the number it was given when it was opened, so a source may refer to one
//! that is still open.

use std::collections::HashMap;
use std::fmt;
use std::iter;

use super::hash;
use super::text::Text;
use super::tree::{Cell, Head, Key, Node, Shape, Tree, Value, hash_of};

/// A tree that is being built.
#[derive(Debug)]
pub struct Builder {
    seed: u64,
    tables: Vec<Table>,
    values: Vec<Value>,
    shapes: Vec<Shape>,
    names: Vec<Value>,
    slots: Vec<u32>,
    /// Strings that are not short, with their hashes.
    texts: Vec<(Text, u32)>,
    bytes: Vec<u8>,
    functions: Vec<Box<[u8]>>,
    /// Numbers of strings plus one, or zero; open addressing.
    interned: Vec<u32>,
    /// Shapes by the hash of their names.
    by_names: HashMap<u64, Vec<u32>>,
    /// Entries of the tables that are open, the outermost first.
    pending: Vec<Value>,
    pending_named: Vec<(Value, Value)>,
    open: Vec<Open>,
}

/// A table that was opened: where its values start, and its head.
#[derive(Clone, Copy, Debug)]
struct Table {
    values: u32,
    array: u32,
    shape: u32,
}

#[derive(Debug)]
struct Open {
    node: Node,
    array: usize,
    named: usize,
}

/// The tree would have more of something than it can count: four billion tables, entries or
/// strings, or 4 GiB of strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the table is too large to be shared (4 GiB of strings, 2^32 entries)")
    }
}

impl std::error::Error for Full {}

fn number(count: usize) -> Result<u32, Full> {
    // The last number stays free: slots hold numbers plus one.
    u32::try_from(count).ok().filter(|number| *number < u32::MAX - 1).ok_or(Full)
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty tree.
    pub fn new() -> Self {
        Self {
            seed: hash::seed(),
            tables: Vec::new(),
            values: Vec::new(),
            shapes: Vec::new(),
            names: Vec::new(),
            slots: Vec::new(),
            texts: Vec::new(),
            bytes: Vec::new(),
            functions: Vec::new(),
            interned: vec![0; 16],
            by_names: HashMap::new(),
            pending: Vec::new(),
            pending_named: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Opens a table inside of the one that is open; the first one is the root.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open(&mut self) -> Result<Node, Full> {
        let node = self.reserve()?;
        self.open_reserved(node);
        Ok(node)
    }

    /// Gives a table its number before it is opened.
    ///
    /// # Errors
    /// When there are too many.
    pub fn reserve(&mut self) -> Result<Node, Full> {
        let node = Node(number(self.tables.len())?);
        self.tables.push(Table { values: 0, array: 0, shape: 0 });
        Ok(node)
    }

    /// Opens a table that has its number already.
    pub fn open_reserved(&mut self, node: Node) {
        let (array, named) = (self.pending.len(), self.pending_named.len());
        self.open.push(Open { node, array, named });
    }

    /// Adds to the array part of the open table.
    pub fn push(&mut self, value: Value) {
        self.pending.push(value);
    }

    /// Adds a named entry to the open table. A name is not nil, a table or a function, and no
    /// integer of the array part.
    pub fn insert(&mut self, name: Value, value: Value) {
        self.pending_named.push((name, value));
    }

    /// Length that the array part of the open table has so far.
    pub fn array(&self) -> usize {
        self.open.last().map_or(0, |open| self.pending.len() - open.array)
    }

    /// Closes the open table.
    ///
    /// # Errors
    /// When the tree has too many entries.
    pub fn close(&mut self) -> Result<(), Full> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let array = number(self.pending.len() - open.array)?;
        let start = number(self.values.len())?;
        self.sort_names(open.named);
        number(self.values.len() + array as usize + self.pending_named.len() - open.named)?;
        let shape = self.shape(open.named)?;
        self.values.extend(self.pending.drain(open.array..));
        self.values.extend(self.pending_named.drain(open.named..).map(|(_, value)| value));
        self.tables[open.node.0 as usize] = Table { values: start, array, shape };
        Ok(())
    }

    /// Puts the names that are pending from `from` on into one order, whatever order the source
    /// had. Of a name that was added twice the last value stays.
    fn sort_names(&mut self, from: usize) {
        let pending = &mut self.pending_named;
        pending[from..].sort_by_key(|(name, _)| order(*name));
        let mut kept = from;
        for at in from..pending.len() {
            if kept > from && order(pending[kept - 1].0) == order(pending[at].0) {
                kept -= 1;
            }
            pending[kept] = pending[at];
            kept += 1;
        }
        pending.truncate(kept);
    }

    /// The shape of the names that are pending from `from` on.
    fn shape(&mut self, from: usize) -> Result<u32, Full> {
        let pending = &self.pending_named[from..];
        let mut sum = self.seed;
        for (name, _) in pending {
            let (class, word) = order(*name);
            #[allow(clippy::cast_possible_truncation, reason = "both halves are used")]
            let halves = (word as u64, (word >> 64) as u64);
            sum = sum.rotate_left(5) ^ u64::from(hash::word(sum ^ u64::from(class), halves.0));
            sum = sum.rotate_left(5) ^ u64::from(hash::word(sum, halves.1));
        }
        let known = self.by_names.get(&sum).into_iter().flatten().copied().find(|shape| {
            let shape = self.shapes[*shape as usize];
            let names = &self.names[shape.names as usize..][..shape.count as usize];
            names.len() == pending.len()
                && names.iter().zip(pending).all(|(name, (other, _))| order(*name) == order(*other))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let shape = number(self.shapes.len())?;
        let names = number(self.names.len())?;
        let count = number(pending.len())?;
        number(self.names.len() + pending.len())?;
        let slots = number(self.slots.len())?;
        let room = match pending.len() {
            0 => 0,
            count => (count + count / 3 + 1).next_power_of_two(),
        };
        number(self.slots.len() + room)?;
        self.names.extend(pending.iter().map(|(name, _)| *name));
        self.slots.resize(self.slots.len() + room, 0);
        let mask = number(room)?.saturating_sub(1);
        for at in 0..count {
            let hash = self.hash(self.names[(names + at) as usize]);
            let mut slot = hash & mask;
            while self.slots[(slots + slot) as usize] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[(slots + slot) as usize] = at + 1;
        }
        self.shapes.push(Shape { names, count, slots, mask });
        self.by_names.entry(sum).or_default().push(shape);
        Ok(shape)
    }

    fn hash(&self, name: Value) -> u32 {
        match name {
            Value::String(text) => hash_of(self.seed, Key::String(text.bytes(&self.bytes))),
            Value::Integer(value) => hash_of(self.seed, Key::Integer(value)),
            Value::Float(value) => hash_of(self.seed, Key::Float(value)),
            Value::Boolean(value) => hash_of(self.seed, Key::Boolean(value)),
            Value::Pointer(value) => hash_of(self.seed, Key::Pointer(value)),
            Value::Nil | Value::Table(_) | Value::Function(_) => 0,
        }
    }

    /// The value of a string.
    ///
    /// # Errors
    /// When there are too many, or too many bytes of them.
    pub fn string(&mut self, text: &[u8]) -> Result<Value, Full> {
        if let Some(text) = Text::short(text) {
            return Ok(Value::String(text));
        }
        let hash = hash::bytes(self.seed, text);
        let mask = self.interned.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(known) = self.interned[slot].checked_sub(1) {
            let (known, other) = self.texts[known as usize];
            if other == hash && known.bytes(&self.bytes) == text {
                return Ok(Value::String(known));
            }
            slot = (slot + 1) & mask;
        }
        let count = number(self.texts.len())?;
        let new = Text::long(number(self.bytes.len())?, number(text.len())?);
        number(self.bytes.len() + text.len())?;
        self.bytes.extend_from_slice(text);
        self.texts.push((new, hash));
        self.interned[slot] = count + 1;
        if self.texts.len() * 2 > self.interned.len() {
            self.grow();
        }
        Ok(Value::String(new))
    }

    fn grow(&mut self) {
        let mask = self.interned.len() * 2 - 1;
        self.interned.clear();
        self.interned.resize(mask + 1, 0);
        for (at, (_, hash)) in (1..).zip(&self.texts) {
            let mut slot = *hash as usize & mask;
            while self.interned[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.interned[slot] = at;
        }
    }

    /// The value of a function.
    ///
    /// # Errors
    /// When there are too many.
    pub fn function(&mut self, code: &[u8]) -> Result<Value, Full> {
        let new = number(self.functions.len())?;
        self.functions.push(code.into());
        Ok(Value::Function(new))
    }

    /// Closes what is open, and ends the building. A tree without any table gets an empty one.
    ///
    /// # Errors
    /// When the tree has too many entries.
    pub fn finish(mut self) -> Result<Tree, Full> {
        if self.tables.is_empty() {
            self.open()?;
        }
        while !self.open.is_empty() {
            self.close()?;
        }
        let mut places = Vec::with_capacity(self.tables.len());
        let mut end = 0;
        for table in &self.tables {
            places.push(number(end)?);
            end += 1 + self.entries(*table);
        }
        number(end)?;
        let place = |value: &Value| match value {
            Value::Table(below) => Value::Table(Node(places[below.0 as usize])),
            plain => *plain,
        };
        let tables = (0..).zip(&self.tables);
        let cells = tables.flat_map(|(number, table)| {
            let head = Cell::Head(Head { array: table.array, shape: table.shape, number });
            let values = &self.values[table.values as usize..][..self.entries(*table)];
            iter::once(head).chain(values.iter().map(|value| Cell::Value(place(value))))
        });
        let mut all = Vec::with_capacity(end);
        all.extend(cells);
        drop(self.values);
        Ok(Tree {
            seed: self.seed,
            cells: all.into(),
            tables: number(self.tables.len())?,
            shapes: self.shapes.into(),
            names: self.names.into(),
            slots: self.slots.into(),
            bytes: self.bytes.into(),
            functions: self.functions.into(),
        })
    }

    /// How many values a table has.
    fn entries(&self, table: Table) -> usize {
        let named = self.shapes.get(table.shape as usize).map_or(0, |shape| shape.count);
        table.array as usize + named as usize
    }
}

/// An order of names, and what tells them apart.
fn order(name: Value) -> (u8, u128) {
    match name {
        Value::Nil => (0, 0),
        Value::Boolean(value) => (1, u128::from(value)),
        Value::Integer(value) => (2, value.cast_unsigned().into()),
        Value::Float(value) => (3, value.to_bits().into()),
        Value::String(text) => (4, text.order()),
        Value::Pointer(value) => (5, value as u128),
        Value::Table(node) => (6, node.0.into()),
        Value::Function(number) => (7, number.into()),
    }
}
