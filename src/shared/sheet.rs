//! The bytes of a datasheet: a tree of tables written down, and read from bytes of any origin.
//!
//! Little-endian: u32 offset of the strings, u32 number of tables, u32 offset of each table (all
//! ones: no such table), the tables, the strings with a zero behind each. A table: i32 length of
//! its array, i32 number of named entries, a byte with the type of each value, padding to 4 bytes,
//! the values of the array, then name and value of each entry. Every value has 4 bytes.
//!
//! Invariant: a tree made from bytes is no larger than the bytes allow, whatever they say.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use super::builder::{Builder, Full};
use super::text::Text;
use super::tree::{Node, Tree, Value};

const NIL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const BOOLEAN: u8 = 3;
const TABLE: u8 = 4;
const STRING: u8 = 5;

/// How `true` is written.
const TRUE: [u8; 4] = [0, 0, 0, 1];
/// Offset of a table that is not there.
const NOWHERE: u32 = u32::MAX;
/// Bytes in front of the offsets of the tables.
const HEAD: usize = 8;

/// What is wrong with bytes that are no datasheet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SheetError {
    /// They end before what they announce, at this offset.
    Truncated(usize),
    /// A value has a type that does not exist.
    Type(usize, u8),
    /// A value is a table that is not there.
    NoTable(u32),
    /// Tables lie over each other.
    Overlap,
    /// A value cannot be written.
    Unwritable,
    /// There is too much of something.
    Full,
}

impl From<Full> for SheetError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for SheetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(at) => write!(formatter, "Invalid data at {at} (it ends there)"),
            Self::Type(at, kind) => write!(formatter, "Invalid data at {at} ({kind})"),
            Self::NoTable(index) => write!(formatter, "Invalid index {index}"),
            Self::Overlap => formatter.write_str("Invalid data (tables lie over each other)"),
            Self::Unwritable => {
                formatter.write_str("Unsupport value (no datasheet has such a one)")
            }
            Self::Full => write!(formatter, "{Full}"),
        }
    }
}

impl std::error::Error for SheetError {}

/// The value a datasheet keeps of a float: integers as such, the rest in 32 bits.
pub fn rounded(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "compared below")]
    let integer = value as i32;
    // Zero is an integer whatever its sign.
    if f64::from(integer) == value {
        return Value::Integer(integer.into());
    }
    #[allow(clippy::cast_possible_truncation, reason = "a datasheet has 32 bits for it")]
    let short = value as f32;
    Value::Float(short.into())
}

/// The value a datasheet keeps of an integer: beyond 32 bits a float.
pub fn shortened(value: i64) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "a datasheet has 32 bits for it")]
    i32::try_from(value).map_or_else(|_| rounded_float(value as f64), |_| Value::Integer(value))
}

fn rounded_float(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "a datasheet has 32 bits for it")]
    let short = value as f32;
    Value::Float(short.into())
}

struct Writer<'a> {
    tree: &'a Tree,
    strings: Vec<u8>,
    /// Offsets of the strings written so far.
    offsets: HashMap<Text, u32>,
}

impl Writer<'_> {
    fn string(&mut self, text: Text) -> Result<[u8; 4], SheetError> {
        if let Some(offset) = self.offsets.get(&text) {
            return Ok(offset.to_le_bytes());
        }
        let offset = u32::try_from(self.strings.len()).map_err(|_| Full)?;
        self.offsets.insert(text, offset);
        self.strings.extend_from_slice(self.tree.text(&text));
        self.strings.push(0);
        Ok(offset.to_le_bytes())
    }

    fn value(&mut self, value: Value) -> Result<(u8, [u8; 4]), SheetError> {
        Ok(match value {
            Value::Nil => (NIL, [0; 4]),
            Value::Integer(value) => match i32::try_from(value) {
                Ok(value) => (INTEGER, value.to_le_bytes()),
                Err(_) => return Err(SheetError::Unwritable),
            },
            #[allow(clippy::cast_possible_truncation, reason = "a datasheet has 32 bits for it")]
            Value::Float(value) => (REAL, (value as f32).to_le_bytes()),
            Value::Boolean(true) => (BOOLEAN, TRUE),
            Value::Boolean(false) => (BOOLEAN, [0; 4]),
            Value::Table(node) => (TABLE, self.tree.number(node).ok_or(Full)?.to_le_bytes()),
            Value::String(text) => (STRING, self.string(text)?),
            Value::Pointer(_) | Value::Function(_) => return Err(SheetError::Unwritable),
        })
    }
}

/// Writes a tree whose names are strings.
///
/// # Errors
/// For a value that a datasheet cannot have.
pub fn dump(tree: &Tree) -> Result<Vec<u8>, SheetError> {
    let mut writer = Writer { tree, strings: Vec::new(), offsets: HashMap::new() };
    let count = u32::try_from(tree.tables()).map_err(|_| Full)?;
    let mut offsets = Vec::new();
    let mut tables = Vec::new();
    for node in tree.nodes() {
        offsets.push(u32::try_from(tables.len()).map_err(|_| Full)?);
        let (array, named) = (tree.length(node), tree.named(node));
        tables.extend_from_slice(&array.to_le_bytes());
        tables.extend_from_slice(&named.to_le_bytes());
        let mut values = Vec::new();
        let mut position = 0;
        while let Some((name, value)) = tree.entry(node, position) {
            if position >= array {
                let Value::String(name) = name else { return Err(SheetError::Unwritable) };
                values.extend_from_slice(&writer.string(name)?);
            }
            let (kind, bytes) = writer.value(value)?;
            tables.push(kind);
            values.extend_from_slice(&bytes);
            position += 1;
        }
        tables.resize(tables.len().next_multiple_of(4), 0);
        tables.extend_from_slice(&values);
    }
    let strings = HEAD + 4 * offsets.len() + tables.len();
    let mut sheet = u32::try_from(strings).map_err(|_| Full)?.to_le_bytes().to_vec();
    sheet.extend_from_slice(&count.to_le_bytes());
    sheet.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    sheet.append(&mut tables);
    sheet.append(&mut writer.strings);
    if writer.offsets.is_empty() {
        sheet.push(0);
    }
    Ok(sheet)
}

/// Bytes as a datasheet, found to be long enough for the offsets of its tables.
#[derive(Clone, Copy)]
struct Sheet<'a> {
    bytes: &'a [u8],
    strings: usize,
    count: u32,
}

/// Where the parts of a table lie.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    array: usize,
    named: usize,
    /// Where the values start.
    values: usize,
    end: usize,
}

impl<'a> Sheet<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, SheetError> {
        let mut sheet = Self { bytes, strings: 0, count: 0 };
        sheet.strings = sheet.word(0)? as usize;
        sheet.count = sheet.word(4)?;
        let head = HEAD + 4 * sheet.count as usize;
        if bytes.len() < head {
            return Err(SheetError::Truncated(bytes.len()));
        }
        Ok(sheet)
    }

    fn word(&self, at: usize) -> Result<u32, SheetError> {
        let word = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
        word.map(|word| u32::from_le_bytes(*word)).ok_or(SheetError::Truncated(at))
    }

    fn place(&self, index: u32) -> Result<Place, SheetError> {
        if index >= self.count {
            return Err(SheetError::NoTable(index));
        }
        let offset = self.word(HEAD + 4 * index as usize)?;
        if offset == NOWHERE {
            return Err(SheetError::NoTable(index));
        }
        let start = HEAD + 4 * self.count as usize + offset as usize;
        let (array, named) = (self.word(start)? as usize, self.word(start + 4)? as usize);
        let values = start + 8 + (array + named).next_multiple_of(4);
        let end = values + 4 * array + 8 * named;
        if end > self.bytes.len() {
            return Err(SheetError::Truncated(self.bytes.len()));
        }
        Ok(Place { start, array, named, values, end })
    }

    /// The bytes of a string.
    fn text(&self, at: usize) -> Result<&'a [u8], SheetError> {
        let start = self.strings.saturating_add(self.word(at)? as usize);
        let rest = self.bytes.get(start..).ok_or(SheetError::Truncated(start))?;
        let end = memchr::memchr(0, rest).ok_or(SheetError::Truncated(self.bytes.len()))?;
        Ok(&rest[..end])
    }

    /// The types and positions of the values of a table, with the positions of their names.
    fn values(&self, place: Place) -> impl Iterator<Item = (u8, usize, Option<usize>)> + 'a {
        let types = &self.bytes[place.start + 8..][..place.array + place.named];
        types.iter().enumerate().map(move |(at, kind)| match at.checked_sub(place.array) {
            None => (*kind, place.values + 4 * at, None),
            Some(named) => {
                let name = place.values + 4 * place.array + 8 * named;
                (*kind, name + 4, Some(name))
            }
        })
    }
}

/// Reads a datasheet. With it come the tables' numbers in it, by number of the tree.
///
/// # Errors
/// When the bytes are no datasheet.
pub fn undump(bytes: &[u8]) -> Result<(Tree, Vec<u32>), SheetError> {
    let sheet = Sheet::new(bytes)?;
    let mut builder = Builder::new();
    // The node of each table that has one, by number.
    let mut nodes: Vec<Option<Node>> = vec![None; sheet.count as usize];
    let mut numbers = vec![0];
    let mut waiting = VecDeque::from([(0, builder.reserve()?)]);
    let mut room = bytes.len();
    while let Some((number, node)) = waiting.pop_front() {
        let place = sheet.place(number)?;
        nodes[number as usize] = Some(node);
        // Tables side by side have no more bytes than there are.
        room = room.checked_sub(place.end - place.start).ok_or(SheetError::Overlap)?;
        builder.open_reserved(node);
        for (kind, at, name) in sheet.values(place) {
            let value = match kind {
                NIL => Value::Nil,
                INTEGER => Value::Integer(sheet.word(at)?.cast_signed().into()),
                REAL => Value::Float(f32::from_bits(sheet.word(at)?).into()),
                BOOLEAN => Value::Boolean(sheet.word(at)? != 0),
                TABLE => {
                    let number = sheet.word(at)?;
                    let known = nodes.get(number as usize).ok_or(SheetError::NoTable(number))?;
                    Value::Table(match known {
                        Some(node) => *node,
                        None => {
                            let node = builder.reserve()?;
                            nodes[number as usize] = Some(node);
                            numbers.push(number);
                            waiting.push_back((number, node));
                            node
                        }
                    })
                }
                STRING => builder.string(sheet.text(at)?)?,
                kind => return Err(SheetError::Type(at, kind)),
            };
            match name {
                None => builder.push(value),
                Some(_) if value == Value::Nil => {}
                Some(name) => {
                    let name = builder.string(sheet.text(name)?)?;
                    builder.insert(name, value);
                }
            }
        }
        builder.close()?;
    }
    Ok((builder.finish()?, numbers))
}

/// The datasheet `current` with its tables renumbered: one that stands where `last` has a table
/// too, by its names, gets that one's number, so that readers find it again.
///
/// # Errors
/// When either is no datasheet.
pub fn diff(last: &[u8], current: &[u8]) -> Result<Vec<u8>, SheetError> {
    let (old, old_numbers) = undump(last)?;
    let (new, new_numbers) = undump(current)?;
    let sheet = Sheet::new(current)?;
    let mut map: Vec<Option<u32>> = vec![None; sheet.count as usize];
    let mut pairs = vec![(Node::ROOT, Node::ROOT)];
    while let Some((before, after)) = pairs.pop() {
        let of = |tree: &Tree, numbers: &[u32], node| {
            let number = tree.number(node).and_then(|number| numbers.get(number as usize).copied());
            number.ok_or(SheetError::Full)
        };
        let number = of(&new, &new_numbers, after)? as usize;
        if map[number].is_some() {
            continue;
        }
        map[number] = Some(of(&old, &old_numbers, before)?);
        let mut position = 0;
        while let Some((name, value)) = new.entry(after, position) {
            position += 1;
            let Value::Table(below) = value else { continue };
            let key = match name {
                Value::String(ref name) => super::tree::Key::String(new.text(name)),
                Value::Integer(index) => super::tree::Key::Integer(index),
                _ => continue,
            };
            if let Value::Table(above) = old.get(before, key) {
                pairs.push((above, below));
            }
        }
    }
    let mut total = Sheet::new(last)?.count;
    let mut taken = vec![false; total as usize];
    for slot in &mut map {
        // Two tables that stood for one: the first keeps its number.
        if let Some(number) = *slot
            && std::mem::replace(&mut taken[number as usize], true)
        {
            *slot = None;
        }
    }
    let mut numbers = Vec::with_capacity(map.len());
    for number in map {
        numbers.push(number.unwrap_or_else(|| {
            total += 1;
            total - 1
        }));
    }
    renumbered(sheet, &numbers, total)
}

fn renumbered(sheet: Sheet<'_>, numbers: &[u32], total: u32) -> Result<Vec<u8>, SheetError> {
    let mut offsets = vec![NOWHERE; total as usize];
    for (at, number) in numbers.iter().enumerate() {
        offsets[*number as usize] = sheet.word(HEAD + 4 * at)?;
    }
    let head = HEAD + 4 * sheet.count as usize;
    let strings = sheet.strings.clamp(head, sheet.bytes.len());
    let mut tables = sheet.bytes[head..strings].to_vec();
    for index in 0..sheet.count {
        let Ok(place) = sheet.place(index) else { continue };
        if place.end > strings {
            return Err(SheetError::Overlap);
        }
        for (kind, at, _) in sheet.values(place) {
            if kind == TABLE {
                let number = sheet.word(at)?;
                let number = numbers.get(number as usize).ok_or(SheetError::NoTable(number))?;
                tables[at - head..][..4].copy_from_slice(&number.to_le_bytes());
            }
        }
    }
    let start = HEAD + 4 * total as usize + tables.len();
    let mut bytes = u32::try_from(start).map_err(|_| Full)?.to_le_bytes().to_vec();
    bytes.extend_from_slice(&total.to_le_bytes());
    bytes.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    bytes.append(&mut tables);
    bytes.extend_from_slice(&sheet.bytes[strings..]);
    Ok(bytes)
}
