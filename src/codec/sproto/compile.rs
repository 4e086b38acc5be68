//! The tree of a schema into a bundle: names are looked up, and what contradicts itself is refused.
//!
//! Not here: the text (`grammar.rs`), the bytes (`bundle.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::LARGEST_INLINE;
use super::bundle;
use super::grammar::{self, Content, Field, Item, Part, Refusal};

/// Why a text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

macro_rules! fail {
    ($($text:tt)*) => { return Err(Failure(format!($($text)*))) };
}

/// Bytes of the largest text that is compiled: its tree takes many times as much.
pub const LARGEST_TEXT: usize = 4 << 20;

/// Name of a type or field.
pub(super) type Name = Vec<u8>;

/// A field whose type has been found.
#[derive(Debug)]
pub(super) struct FieldPlan {
    pub(super) name: Name,
    pub(super) tag: u16,
    pub(super) is_array: bool,
    /// Name of its type, the full one at the end.
    pub(super) type_name: Name,
    /// Digits behind the point.
    pub(super) decimal: Option<u16>,
    /// Name of the field that is the key; empty when the elements are pairs.
    pub(super) key: Option<Name>,
}

/// A protocol.
#[derive(Debug, Default)]
pub(super) struct ProtocolPlan {
    pub(super) name: Name,
    pub(super) tag: u16,
    pub(super) request: Option<Name>,
    pub(super) response: Option<Name>,
    pub(super) confirm: bool,
}

/// Types by name, in the order of the bundle.
pub(super) type Types = BTreeMap<Name, Vec<FieldPlan>>;

/// Compiles the text of a schema; `file` is what errors call it.
///
/// # Errors
/// When the text is no schema.
pub fn compile(text: &[u8], file: &str) -> Result<Vec<u8>, Failure> {
    if text.len() > LARGEST_TEXT {
        let length = text.len();
        fail!("text of {length} bytes at [{file}] is too large (limit {LARGEST_TEXT})");
    }
    let items = grammar::parse(text).map_err(|refusal| {
        Failure(match refusal {
            Refusal::Syntax(line) => format!("syntax error at [{file}] line ({line})"),
            Refusal::TooDeep(line) => {
                format!("types too deep inside each other at [{file}] line ({line})")
            }
        })
    })?;
    let mut types = Types::new();
    let mut protocols: HashMap<Name, ProtocolPlan> = HashMap::new();
    for item in &items {
        match item {
            Item::Type(name, content) => {
                if types.contains_key(*name) {
                    fail!("redefined {}", shown(name));
                }
                add_type(&mut types, name.to_vec(), content)?;
            }
            Item::Protocol(name, tag, parts) => {
                if protocols.contains_key(*name) {
                    fail!("redefined {}", shown(name));
                }
                let protocol = protocol(&mut types, name, *tag, parts)?;
                protocols.insert(name.to_vec(), protocol);
            }
            Item::Field(field) => fail!("field {} outside of a type", shown(field.name)),
        }
    }
    let mut protocols: Vec<ProtocolPlan> = protocols.into_values().collect();
    protocols.sort_by(|one, other| (one.tag, &one.name).cmp(&(other.tag, &other.name)));
    check_protocols(&types, &protocols)?;
    find_types(&mut types)?;
    bundle::write(&types, &protocols)
}

pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn joined(outer: &[u8], inner: &[u8]) -> Name {
    [outer, b".", inner].concat()
}

/// A number that has to fit into an entry.
fn entry(value: u64, what: &str, name: &[u8]) -> Result<u16, Failure> {
    match u16::try_from(value) {
        Ok(entry) if entry <= LARGEST_INLINE => Ok(entry),
        _ => fail!("{what} {value} of {} is too large (limit {LARGEST_INLINE})", shown(name)),
    }
}

fn add_type(types: &mut Types, name: Name, content: &[Item<'_>]) -> Result<(), Failure> {
    let mut fields = Vec::new();
    let (mut names, mut tags) = (HashSet::new(), HashSet::new());
    for item in content {
        match item {
            Item::Field(field) => {
                if !names.insert(field.name) {
                    fail!("redefine {} in type {}", shown(field.name), shown(&name));
                }
                if !tags.insert(field.tag) {
                    fail!("redefine tag {} in type {}", field.tag, shown(&name));
                }
                fields.push(plan(field)?);
            }
            Item::Type(inner, content) => {
                let inner = joined(&name, inner);
                if types.contains_key(&inner) {
                    fail!("redefined {}", shown(&inner));
                }
                add_type(types, inner, content)?;
            }
            Item::Protocol(inner, ..) => {
                fail!("protocol {} inside type {}", shown(inner), shown(&name))
            }
        }
    }
    fields.sort_by_key(|field| field.tag);
    types.insert(name, fields);
    Ok(())
}

fn plan(field: &Field<'_>) -> Result<FieldPlan, Failure> {
    let mut decimal = None;
    let mut key = None;
    // Of what stands in parentheses the first counts; behind a single type a number only, or the
    // second, as compilers of sproto have it.
    let suffix = match field.suffixes.as_slice() {
        [first, ..] if field.is_array || first.1 => Some(*first),
        [_, second, ..] => Some(*second),
        _ => None,
    };
    if let Some((text, is_number)) = suffix {
        if field.type_name == b"integer" {
            if !is_number {
                fail!("Invalid decimal {} of {}", shown(text), shown(field.name));
            }
            decimal = Some(entry(grammar::value_of(text), "decimal", field.name)?);
        } else if field.is_array {
            key = Some(text.to_vec());
        } else {
            fail!("field {} has a key, so it has to be an array", shown(field.name));
        }
    }
    Ok(FieldPlan {
        name: field.name.to_vec(),
        tag: entry(field.tag, "tag", field.name)?,
        is_array: field.is_array,
        type_name: field.type_name.to_vec(),
        decimal,
        key,
    })
}

fn protocol(
    types: &mut Types,
    name: &[u8],
    tag: u64,
    parts: &[Part<'_>],
) -> Result<ProtocolPlan, Failure> {
    let mut plan = ProtocolPlan { name: name.to_vec(), ..ProtocolPlan::default() };
    for Part { is_response, content } in parts {
        let word = if *is_response { "response" } else { "request" };
        let place = if *is_response { &mut plan.response } else { &mut plan.request };
        if place.is_some() {
            fail!("redefine {word} in protocol {}", shown(name));
        }
        match content {
            Content::Named(b"nil") => plan.confirm |= *is_response,
            Content::Named(type_name) => *place = Some(type_name.to_vec()),
            Content::Inline(content) => {
                let type_name = joined(name, word.as_bytes());
                add_type(types, type_name.clone(), content)?;
                *place = Some(type_name);
            }
        }
    }
    plan.tag = entry(tag, "tag", name)?;
    Ok(plan)
}

fn check_protocols(types: &Types, protocols: &[ProtocolPlan]) -> Result<(), Failure> {
    let mut last = None;
    for protocol in protocols {
        if last == Some(protocol.tag) {
            fail!("redefined protocol tag {} at {}", protocol.tag, shown(&protocol.name));
        }
        last = Some(protocol.tag);
        for (word, part) in [("request", &protocol.request), ("response", &protocol.response)] {
            if let Some(part) = part
                && !types.contains_key(part)
            {
                let (part, name) = (shown(part), shown(&protocol.name));
                fail!("Undefined {word} type {part} in protocol {name}");
            }
        }
    }
    Ok(())
}

/// Gives each field the full name of its type.
fn find_types(types: &mut Types) -> Result<(), Failure> {
    let mut found = Vec::new();
    for (name, fields) in &*types {
        for field in fields {
            match full_name(types, name, &field.type_name) {
                Some(full) => found.push(full),
                None => {
                    fail!("Undefined type {} in type {}", shown(&field.type_name), shown(name))
                }
            }
        }
    }
    let fields = types.values_mut().flatten();
    for (field, full) in fields.zip(found) {
        field.type_name = full;
    }
    Ok(())
}

/// Looks a type up inside of `outer`, then inside of what that is in, then outermost.
fn full_name(types: &Types, outer: &[u8], name: &[u8]) -> Option<Name> {
    if bundle::builtin(name).is_some() {
        return Some(name.to_vec());
    }
    let mut outer = Some(outer);
    while let Some(scope) = outer {
        let full = joined(scope, name);
        if types.contains_key(&full) {
            return Some(full);
        }
        outer = scope.iter().rposition(|byte| *byte == b'.').map(|dot| &scope[..dot]);
    }
    types.contains_key(name).then(|| name.to_vec())
}
