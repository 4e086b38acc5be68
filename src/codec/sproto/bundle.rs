//! Writes the bundle of a schema: itself a structure of sproto, always in the same form.

use std::collections::HashMap;

use super::compile::{Failure, FieldPlan, Name, ProtocolPlan, Types, shown};
use super::writer::{begin_data, end_data};
use super::{LARGEST_INLINE, inline};

/// The entry of data.
const DATA: u16 = 0;
/// The entry that skips a tag.
const SKIP: u16 = 1;
/// What stands where the index of a type does, for bytes.
const BINARY: u16 = 1;

/// The number of a type that needs no definition.
pub(super) fn builtin(name: &[u8]) -> Option<u16> {
    Some(match name {
        b"integer" => 0,
        b"boolean" => 1,
        b"string" | b"binary" => 2,
        b"double" => 3,
        _ => return None,
    })
}

/// Writes types in the order of their names and protocols in the order of their numbers.
pub(super) fn write(types: &Types, protocols: &[ProtocolPlan]) -> Result<Vec<u8>, Failure> {
    if types.is_empty() && protocols.is_empty() {
        return Ok(vec![0, 0]);
    }
    if types.is_empty() {
        return Err(Failure("a schema with protocols needs a type".to_owned()));
    }
    let mut out = Vec::new();
    entries(&mut out, if protocols.is_empty() { &[DATA] } else { &[DATA, DATA] });
    let indices: Indices<'_> = (0..).zip(types.keys()).map(|(index, name)| (name, index)).collect();
    let start = begin_data(&mut out);
    for (name, fields) in types {
        write_type(&mut out, name, fields, types, &indices)?;
    }
    end_data(&mut out, start);
    if !protocols.is_empty() {
        let start = begin_data(&mut out);
        for protocol in protocols {
            write_protocol(&mut out, protocol, &indices)?;
        }
        end_data(&mut out, start);
    }
    Ok(out)
}

/// Indices of types by name.
type Indices<'a> = HashMap<&'a Name, usize>;

fn entries(out: &mut Vec<u8>, entries: &[u16]) {
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.to_le_bytes());
    }
}

fn data(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = begin_data(out);
    out.extend_from_slice(bytes);
    end_data(out, start);
}

/// The entry of a type's index.
fn index_entry(indices: &Indices<'_>, name: &Name) -> Result<u16, Failure> {
    let index = indices.get(name).copied().and_then(|index| u16::try_from(index).ok());
    match index {
        Some(index) if index <= LARGEST_INLINE => Ok(inline(index)),
        _ => Err(Failure(format!("type {} is one too many (limit {LARGEST_INLINE})", shown(name)))),
    }
}

fn write_type(
    out: &mut Vec<u8>,
    name: &[u8],
    fields: &[FieldPlan],
    types: &Types,
    indices: &Indices<'_>,
) -> Result<(), Failure> {
    let start = begin_data(out);
    entries(out, if fields.is_empty() { &[DATA] } else { &[DATA, DATA] });
    data(out, name);
    if !fields.is_empty() {
        let start = begin_data(out);
        for field in fields {
            write_field(out, field, types, indices)?;
        }
        end_data(out, start);
    }
    end_data(out, start);
    Ok(())
}

fn write_field(
    out: &mut Vec<u8>,
    field: &FieldPlan,
    types: &Types,
    indices: &Indices<'_>,
) -> Result<(), Failure> {
    let mut list = vec![DATA];
    if let Some(number) = builtin(&field.type_name) {
        let extra = if field.type_name == b"binary" { Some(BINARY) } else { field.decimal };
        list.extend([inline(number), extra.map_or(SKIP, inline)]);
    } else {
        list.extend([SKIP, index_entry(indices, &field.type_name)?]);
    }
    list.push(inline(field.tag));
    if field.is_array {
        list.push(inline(1));
    }
    if let Some(key) = &field.key {
        let (tag, is_map) = key_of(field, key, types)?;
        list.push(inline(tag));
        if is_map {
            list.push(inline(1));
        }
    }
    let start = begin_data(out);
    entries(out, &list);
    data(out, &field.name);
    end_data(out, start);
    Ok(())
}

/// The tag of the field that is the key, and whether the elements are pairs.
fn key_of(field: &FieldPlan, key: &Name, types: &Types) -> Result<(u16, bool), Failure> {
    let elements = types.get(&field.type_name).map_or(&[][..], Vec::as_slice);
    let is_map = key.is_empty();
    if is_map && elements.len() != 2 {
        let name = shown(&field.name);
        return Err(Failure(format!("Invalid map definition: {name}, must only have two fields")));
    }
    let found = if is_map {
        elements.first()
    } else {
        elements.iter().find(|element| element.name == *key)
    };
    match found.filter(|element| builtin(&element.type_name).is_some()) {
        Some(element) => Ok((element.tag, is_map)),
        None => {
            let key = found.map_or(key, |element| &element.name);
            Err(Failure(format!("Invalid map index :{}", shown(key))))
        }
    }
}

fn write_protocol(
    out: &mut Vec<u8>,
    protocol: &ProtocolPlan,
    indices: &Indices<'_>,
) -> Result<(), Failure> {
    let mut list = vec![DATA, inline(protocol.tag)];
    if protocol.request.is_some() || protocol.response.is_some() || protocol.confirm {
        let request = protocol.request.as_ref().map(|name| index_entry(indices, name));
        list.push(request.transpose()?.unwrap_or(SKIP));
    }
    if let Some(response) = &protocol.response {
        list.push(index_entry(indices, response)?);
    } else if protocol.confirm {
        list.extend([SKIP, inline(1)]);
    }
    let start = begin_data(out);
    entries(out, &list);
    data(out, &protocol.name);
    end_data(out, start);
    Ok(())
}
