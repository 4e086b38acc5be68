//! A schema as it is used: types with their fields by tag, protocols by name and number.
//!
//! Source: the bundle's own schema, reference 17.
//! Invariant: every index in a schema names a type, field or name that is there; a bundle that says
//! otherwise is refused.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::reader::{self, Fields, Item, Malformed};

/// Bytes of the largest bundle that is read.
pub const LARGEST_BUNDLE: usize = 4 << 20;

/// The bytes are no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// They are too many.
    #[error("sproto bundle of {0} bytes is too large (limit {LARGEST_BUNDLE})")]
    TooLarge(usize),
    /// They do not describe types and protocols.
    #[error("invalid sproto bundle")]
    Malformed,
}

impl From<Malformed> for Invalid {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What a field holds, or the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number without fraction.
    Integer,
    /// A number that is multiplied by this and rounded.
    Decimal(i32),
    /// A truth value.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Binary,
    /// A number of 64 bits with a fraction.
    Double,
    /// A structure of the type with this index.
    Struct(u32),
}

/// How the elements of an array stand in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No array.
    Single,
    /// Numbered from 1.
    List,
    /// Under the value of their own field with this index, if they have it.
    ByField {
        /// The tag of that field.
        tag: u16,
        /// Its index.
        index: Option<u16>,
    },
    /// The elements have two fields: the key and the value.
    Map,
}

/// A field of a type.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Index of its name.
    pub name: u32,
    /// Its tag.
    pub tag: u16,
    /// What it holds.
    pub kind: Kind,
    /// Whether and how it is an array.
    pub shape: Shape,
}

/// A structure.
#[derive(Debug)]
pub struct Type {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its fields, by ascending tags.
    pub fields: Box<[Field]>,
    /// Entries that a value with all fields takes.
    pub entries: usize,
    /// Tag of the first field, if the others follow without gaps.
    first_tag: Option<u32>,
}

impl Type {
    /// The field with a tag, and its index.
    #[inline]
    pub fn field(&self, tag: u32) -> Option<(usize, &Field)> {
        let index = match self.first_tag {
            Some(first) => tag.checked_sub(first)? as usize,
            None => self.fields.binary_search_by_key(&tag, |field| field.tag.into()).ok()?,
        };
        self.fields.get(index).map(|field| (index, field))
    }
}

/// A request and its response.
#[derive(Debug)]
pub struct Protocol {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its number.
    pub tag: u16,
    /// Type of the request.
    pub request: Option<u32>,
    /// Type of the response.
    pub response: Option<u32>,
    /// There is a response without content.
    pub confirm: bool,
}

/// Types and protocols.
#[derive(Debug)]
pub struct Schema {
    /// The types.
    pub types: Box<[Type]>,
    /// The protocols as the bundle has them, by ascending numbers.
    pub protocols: Box<[Protocol]>,
    /// Names of fields, each once.
    pub names: Box<[Box<[u8]>]>,
    by_name: HashMap<Box<[u8]>, u32>,
    size: usize,
}

impl Schema {
    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_bundle(bundle: &[u8]) -> Result<Self, Invalid> {
        if bundle.len() > LARGEST_BUNDLE {
            return Err(Invalid::TooLarge(bundle.len()));
        }
        let mut names = Names::default();
        let (mut types, mut protocols) = (Vec::new(), Vec::new());
        let mut fields = Fields::new(bundle)?;
        while let Some((tag, item)) = fields.next_field()? {
            let Item::Data(data) = item else { return Err(Invalid::Malformed) };
            match tag {
                0 => each(data, |piece| {
                    types.push(read_type(piece, &mut names)?);
                    Ok(())
                })?,
                1 => each(data, |piece| {
                    protocols.push(read_protocol(piece)?);
                    Ok(())
                })?,
                _ => return Err(Invalid::Malformed),
            }
        }
        connect(&mut types, &protocols)?;
        let mut by_name = HashMap::new();
        for (index, found) in (0..).zip(&types) {
            by_name.entry(found.name.clone()).or_insert(index);
        }
        let all_fields: usize = types.iter().map(|found| found.fields.len()).sum();
        let size = 3 * bundle.len()
            + size_of::<Self>()
            + size_of::<Field>() * all_fields
            + 2 * size_of::<Type>() * types.len()
            + size_of::<Protocol>() * protocols.len();
        let names = names.list.into();
        Ok(Self { types: types.into(), protocols: protocols.into(), names, by_name, size })
    }

    /// The index of a type.
    pub fn type_named(&self, name: &[u8]) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The protocol with a number.
    pub fn protocol(&self, tag: i64) -> Option<&Protocol> {
        let index = self.protocols.binary_search_by_key(&tag, |protocol| protocol.tag.into());
        self.protocols.get(index.ok()?)
    }

    /// The protocol with a name.
    pub fn protocol_named(&self, name: &[u8]) -> Option<&Protocol> {
        self.protocols.iter().find(|protocol| *protocol.name == *name)
    }

    /// Bytes that it takes, about.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// What is in it, as text.
    pub fn describe(&self) -> String {
        let mut text = format!("=== {} types ===\n", self.types.len());
        let lossy = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        for described in &self.types {
            text.push_str(&lossy(&described.name));
            text.push('\n');
            for field in &described.fields {
                let name = lossy(&self.names[field.name as usize]);
                let star = if field.shape == Shape::Single { "" } else { "*" };
                let kind = match field.kind {
                    Kind::Integer => "integer".to_owned(),
                    Kind::Decimal(scale) if scale > 0 => format!("decimal({scale})"),
                    Kind::Decimal(_) => "decimal".to_owned(),
                    Kind::Boolean => "boolean".to_owned(),
                    Kind::String => "string".to_owned(),
                    Kind::Binary => "binary".to_owned(),
                    Kind::Double => "double".to_owned(),
                    Kind::Struct(index) => lossy(&self.types[index as usize].name),
                };
                // Writing to a string does not fail.
                let _ = write!(text, "\t{name} ({}) {star}{kind}", field.tag);
                let _ = match (field.shape, field.kind) {
                    (Shape::ByField { tag, .. }, _) => write!(text, " key[{tag}]"),
                    (Shape::Map, Kind::Struct(index)) => {
                        let pair = &self.types[index as usize].fields;
                        write!(text, " key[{}] value[{}]", pair[0].tag, pair[1].tag)
                    }
                    _ => Ok(()),
                };
                text.push('\n');
            }
        }
        let _ = writeln!(text, "=== {} protocol ===", self.protocols.len());
        for protocol in &self.protocols {
            let named = |index: u32| lossy(&self.types[index as usize].name);
            let request = protocol.request.map_or("(null)".to_owned(), named);
            let _ =
                write!(text, "\t{} ({}) request:{request}", lossy(&protocol.name), protocol.tag);
            if let Some(index) = protocol.response {
                let _ = write!(text, " response:{}", named(index));
            } else if protocol.confirm {
                text.push_str(" response nil");
            }
            text.push('\n');
        }
        text
    }
}

/// Names of fields, each once.
#[derive(Default)]
struct Names {
    list: Vec<Box<[u8]>>,
    known: HashMap<Box<[u8]>, u32>,
}

impl Names {
    fn index(&mut self, name: &[u8]) -> Result<u32, Invalid> {
        if let Some(index) = self.known.get(name) {
            return Ok(*index);
        }
        let index = u32::try_from(self.list.len()).map_err(|_| Invalid::Malformed)?;
        self.list.push(name.into());
        self.known.insert(name.into(), index);
        Ok(index)
    }
}

/// Calls `read` for each piece of an array.
fn each<'a>(
    data: &'a [u8],
    mut read: impl FnMut(&'a [u8]) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut rest = data;
    while !rest.is_empty() {
        let (piece, after) = reader::split(rest)?;
        rest = after;
        read(piece)?;
    }
    Ok(())
}

fn read_type(piece: &[u8], names: &mut Names) -> Result<Type, Invalid> {
    let (mut name, mut fields) = (None, Vec::new());
    let mut content = Fields::new(piece)?;
    while let Some(found) = content.next_field()? {
        match found {
            (0, Item::Data(data)) => name = Some(data.into()),
            (1, Item::Data(data)) => each(data, |piece| {
                fields.push(read_field(piece, names)?);
                Ok(())
            })?,
            _ => return Err(Invalid::Malformed),
        }
    }
    if !fields.is_sorted_by(|one: &Field, next| one.tag < next.tag) {
        return Err(Invalid::Malformed);
    }
    let mut entries = 0;
    let mut next_tag = 0;
    for field in &fields {
        entries += 1 + usize::from(field.tag != next_tag);
        next_tag = field.tag + 1;
    }
    let first_tag = fields.first().map(|field| u32::from(field.tag)).filter(|first| {
        fields
            .last()
            .is_some_and(|last| usize::from(last.tag) + 1 == fields.len() + *first as usize)
    });
    let name = name.ok_or(Invalid::Malformed)?;
    Ok(Type { name, fields: fields.into(), entries, first_tag })
}

fn read_field(piece: &[u8], names: &mut Names) -> Result<Field, Invalid> {
    let (mut name, mut builtin, mut index, mut tag) = (None, None, None, None);
    let (mut is_array, mut key, mut is_map) = (false, None, false);
    let mut content = Fields::new(piece)?;
    while let Some(found) = content.next_field()? {
        match found {
            (0, Item::Data(data)) => name = Some(names.index(data)?),
            (1, Item::Inline(value)) => builtin = Some(value),
            (2, Item::Inline(value)) => index = Some(value),
            (3, Item::Inline(value)) => tag = Some(value),
            (4, Item::Inline(value)) => is_array = value != 0,
            (5, Item::Inline(value)) => key = Some(value),
            (6, Item::Inline(value)) => is_map = value != 0,
            _ => return Err(Invalid::Malformed),
        }
    }
    let kind = match (builtin, index) {
        (Some(0), None) => Kind::Integer,
        (Some(0), Some(digits)) => match 10_i32.wrapping_pow(digits.into()) {
            0 => Kind::Integer,
            scale => Kind::Decimal(scale),
        },
        (Some(1), None) => Kind::Boolean,
        (Some(2), None | Some(0)) => Kind::String,
        (Some(2), Some(_)) => Kind::Binary,
        (Some(3), None) => Kind::Double,
        (None, Some(index)) => Kind::Struct(index.into()),
        _ => return Err(Invalid::Malformed),
    };
    let shape = match (is_array, key, is_map) {
        (false, None, false) => Shape::Single,
        (true, None, false) => Shape::List,
        (true, Some(_), true) => Shape::Map,
        (true, Some(tag), false) => Shape::ByField { tag, index: None },
        _ => return Err(Invalid::Malformed),
    };
    let name = name.ok_or(Invalid::Malformed)?;
    Ok(Field { name, tag: tag.ok_or(Invalid::Malformed)?, kind, shape })
}

fn read_protocol(piece: &[u8]) -> Result<Protocol, Invalid> {
    let (mut name, mut tag, mut confirm) = (None, None, false);
    let (mut request, mut response) = (None, None);
    let mut content = Fields::new(piece)?;
    while let Some(found) = content.next_field()? {
        match found {
            (0, Item::Data(data)) => name = Some(data.into()),
            (1, Item::Inline(value)) => tag = Some(value),
            (2, Item::Inline(value)) => request = Some(value.into()),
            (3, Item::Inline(value)) => response = Some(value.into()),
            (4, Item::Inline(value)) => confirm = value != 0,
            _ => return Err(Invalid::Malformed),
        }
    }
    let (name, tag) = (name.ok_or(Invalid::Malformed)?, tag.ok_or(Invalid::Malformed)?);
    Ok(Protocol { name, tag, request, response, confirm })
}

/// Checks the indices of types, and finds the fields that are keys.
fn connect(types: &mut [Type], protocols: &[Protocol]) -> Result<(), Invalid> {
    let is_there = |index: &u32| (*index as usize) < types.len();
    if !protocols.is_sorted_by(|one, next| one.tag <= next.tag)
        || !protocols.iter().all(|protocol| protocol.request.iter().all(is_there))
        || !protocols.iter().all(|protocol| protocol.response.iter().all(is_there))
    {
        return Err(Invalid::Malformed);
    }
    for at in 0..types.len() {
        for number in 0..types[at].fields.len() {
            let Field { kind, shape, .. } = types[at].fields[number];
            let element = match kind {
                Kind::Struct(index) => {
                    Some(&types.get(index as usize).ok_or(Invalid::Malformed)?.fields)
                }
                _ => None,
            };
            let shape = match (shape, element) {
                (Shape::Single | Shape::List, _) => continue,
                (Shape::Map, Some(fields)) if fields.len() == 2 => continue,
                (Shape::ByField { tag, .. }, Some(fields)) => {
                    let index = fields.binary_search_by_key(&tag, |field| field.tag).ok();
                    let single = index.filter(|index| fields[*index].shape == Shape::Single);
                    Shape::ByField { tag, index: single.and_then(|at| u16::try_from(at).ok()) }
                }
                _ => return Err(Invalid::Malformed),
            };
            types[at].fields[number].shape = shape;
        }
    }
    Ok(())
}
