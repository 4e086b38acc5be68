//! What bytes may not do to the decoders of sproto.

use std::collections::BTreeSet;

use node::codec::sproto::reader::{Fields, Item, number, numbers, split};
use node::codec::sproto::schema::{Kind, Schema, Shape};
use node::codec::sproto::{DEPTH, LARGEST, compile, pack};

/// The bundle of a schema with arrays of all forms.
#[allow(dead_code, reason = "the fuzzer needs none")]
pub(crate) fn bundle() -> Vec<u8> {
    let text =
        b".A { x 0 : integer y 1 : *A z 2 : *A(x) m 3 : *P() } .P { k 0 : string v 5 : double }
        p 1 { request A response nil } q 2 { response { list 0 : *boolean } }";
    compile(text, "text").unwrap_or_default()
}

/// Types by number, as a schema may name them.
const TYPES: [&str; 9] =
    ["integer", "boolean", "string", "binary", "double", "integer(3)", "*string", "*T0", "T0"];

/// Gives the bytes to every decoder.
pub(crate) fn examine(bytes: &[u8]) {
    let mut out = Vec::new();
    if pack::unpack(&mut out, bytes).is_ok() {
        assert!(out.len() <= LARGEST);
    }
    if let Ok(schema) = Schema::from_bundle(bytes) {
        let _ = schema.describe();
        for index in 0..u32::try_from(schema.types.len()).unwrap_or(0) {
            walk(&schema, index, bytes, 0);
        }
    }
    let known = compile(b".A { x 0 : integer y 1 : *A z 2 : *integer s 3 : A }", "").ok();
    if let Some(schema) = known.and_then(|bundle| Schema::from_bundle(&bundle).ok()) {
        walk(&schema, 0, bytes, 0);
    }
}

/// Reads a structure as the binding does.
fn walk(schema: &Schema, index: u32, bytes: &[u8], depth: usize) {
    if depth >= DEPTH {
        return;
    }
    let described = &schema.types[index as usize];
    let Ok(mut fields) = Fields::new(bytes) else { return };
    assert!(fields.fields_left() * 2 <= bytes.len());
    while let Ok(Some((tag, item))) = fields.next_field() {
        let Some((at, field)) = described.field(tag) else { continue };
        assert_eq!(u32::from(described.fields[at].tag), tag);
        assert!((field.name as usize) < schema.names.len());
        let Item::Data(data) = item else { continue };
        match (field.kind, field.shape) {
            (Kind::Struct(inner), Shape::Single) => walk(schema, inner, data, depth + 1),
            (Kind::Struct(inner), _) => {
                let mut rest = data;
                while let Ok((piece, after)) = split(rest) {
                    walk(schema, inner, piece, depth + 1);
                    rest = after;
                }
            }
            _ => {
                let _ = (number(data), numbers(data));
            }
        }
    }
    assert!(fields.left() <= bytes.len());
}

/// Gives the bytes to the compiler.
pub(crate) fn examine_text(bytes: &[u8]) {
    if let Ok(bundle) = compile(bytes, "text") {
        assert!(Schema::from_bundle(&bundle).is_ok(), "{bytes:?}");
    }
}

/// The text of a schema with a type of one field a name, and how many types it has.
#[allow(dead_code, reason = "the fuzzer needs none")]
pub(crate) fn text(
    names: &BTreeSet<String>,
    kinds: &[usize],
    tags: &BTreeSet<u16>,
) -> (String, usize) {
    let mut text = ".T0 { x 0 : integer }\n".to_owned();
    text.push_str(".All {\n");
    for ((name, kind), tag) in names.iter().zip(kinds).zip(tags) {
        text.push_str(&format!("  {name} {tag} : {} # a field\n", TYPES[*kind]));
    }
    text.push_str("}\nrun 1 { request All response nil }\n");
    (text, 2)
}

/// Compiles a text and looks at what is in the bundle.
#[allow(dead_code, reason = "the fuzzer needs none")]
pub(crate) fn compiles(text: &str, types: usize) {
    let bundle = compile(text.as_bytes(), "text").unwrap_or_else(|failure| panic!("{failure}"));
    let schema = Schema::from_bundle(&bundle).unwrap_or_else(|invalid| panic!("{invalid}"));
    assert_eq!(schema.types.len(), types);
    assert!(schema.protocol(1).is_some_and(|protocol| protocol.confirm));
    let all = schema.type_named(b"All").map(|index| &schema.types[index as usize]);
    for line in text.lines().filter(|line| line.ends_with("# a field")) {
        let tag = line.split_whitespace().nth(1).and_then(|tag| tag.parse::<u32>().ok());
        let found = all.and_then(|all| all.field(tag.unwrap_or(u32::MAX)));
        let name = found.map(|(_, field)| &*schema.names[field.name as usize]);
        assert_eq!(name, line.split_whitespace().next().map(str::as_bytes));
    }
}
