//! Properties of trees and datasheets, against plain maps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::builder::Builder;
use super::sheet;
use super::tree::{Key, Node, Tree, Value};

/// A value as the source has it.
#[derive(Clone, Debug, PartialEq)]
enum Model {
    Boolean(bool),
    Integer(i32),
    Half(i16),
    Text(String),
    Table(Vec<Model>, BTreeMap<String, Model>),
}

fn model() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Model::Boolean),
        any::<i32>().prop_map(Model::Integer),
        any::<i16>().prop_map(Model::Half),
        "[a-z]{0,24}".prop_map(Model::Text),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let names = prop::collection::btree_map("[a-d]{1,2}", inner.clone(), 0..6);
        (prop::collection::vec(inner, 0..4), names)
            .prop_map(|(list, named)| Model::Table(list, named))
    })
}

fn table() -> impl Strategy<Value = Model> {
    let names = prop::collection::btree_map("[a-d]{1,2}|[a-b]{13,16}", model(), 0..8);
    (prop::collection::vec(model(), 0..6), names)
        .prop_map(|(list, named)| Model::Table(list, named))
}

fn build(builder: &mut Builder, model: &Model) -> Value {
    match model {
        Model::Boolean(value) => Value::Boolean(*value),
        Model::Integer(value) => Value::Integer((*value).into()),
        Model::Half(value) => Value::Float(f64::from(*value) + 0.5),
        Model::Text(text) => builder.string(text.as_bytes()).unwrap(),
        Model::Table(list, named) => {
            let node = builder.open().unwrap();
            for value in list {
                let value = build(builder, value);
                builder.push(value);
            }
            for (name, value) in named.iter().rev() {
                let name = builder.string(name.as_bytes()).unwrap();
                let value = build(builder, value);
                builder.insert(name, value);
            }
            builder.close().unwrap();
            Value::Table(node)
        }
    }
}

fn tree_of(model: &Model) -> Tree {
    let mut builder = Builder::new();
    build(&mut builder, model);
    builder.finish().unwrap()
}

fn model_of(tree: &Tree, value: Value) -> Model {
    match value {
        Value::Boolean(value) => Model::Boolean(value),
        Value::Integer(value) => Model::Integer(i32::try_from(value).unwrap()),
        #[allow(clippy::cast_possible_truncation, reason = "made from an i16")]
        Value::Float(value) => Model::Half((value - 0.5) as i16),
        Value::String(text) => Model::Text(String::from_utf8(tree.text(&text).into()).unwrap()),
        Value::Table(node) => {
            let (mut list, mut named) = (Vec::new(), BTreeMap::new());
            let mut key = None;
            let mut known;
            while let Some((name, value)) = tree.next(node, key).unwrap() {
                key = Some(match name {
                    Value::Integer(index) => {
                        list.push(model_of(tree, value));
                        Key::Integer(index)
                    }
                    Value::String(name) => {
                        known = name;
                        let text = tree.text(&known);
                        let name = String::from_utf8(text.into()).unwrap();
                        assert_eq!(tree.get(node, Key::String(text)), value);
                        assert!(named.insert(name, model_of(tree, value)).is_none());
                        Key::String(text)
                    }
                    other => panic!("a name {other:?}"),
                });
            }
            assert_eq!(list.len(), tree.length(node) as usize);
            Model::Table(list, named)
        }
        other => panic!("a value {other:?}"),
    }
}

proptest! {
    #[test]
    fn a_tree_holds_what_was_put_in(model in table()) {
        let tree = tree_of(&model);
        prop_assert_eq!(model_of(&tree, Value::Table(Node::ROOT)), model);
    }

    #[test]
    fn a_datasheet_read_again_is_the_same(model in table()) {
        let bytes = sheet::dump(&tree_of(&model)).unwrap();
        let (tree, _) = sheet::undump(&bytes).unwrap();
        prop_assert_eq!(model_of(&tree, Value::Table(Node::ROOT)), model);
    }

    #[test]
    fn a_difference_reads_as_the_newer_and_keeps_the_numbers_of_the_older(
        before in table(), after in table(),
    ) {
        let last = sheet::dump(&tree_of(&before)).unwrap();
        let bytes = sheet::diff(&last, &sheet::dump(&tree_of(&after)).unwrap()).unwrap();
        let (tree, numbers) = sheet::undump(&bytes).unwrap();
        prop_assert_eq!(model_of(&tree, Value::Table(Node::ROOT)), after);
        let (old_tree, old_numbers) = sheet::undump(&last).unwrap();
        for name in ["a", "b", "aa", "ab"] {
            let key = Key::String(name.as_bytes());
            if let (Value::Table(old), Value::Table(new)) =
                (old_tree.get(Node::ROOT, key), tree.get(Node::ROOT, key))
            {
                let old_number = old_numbers[old_tree.number(old).unwrap() as usize];
                prop_assert_eq!(old_number, numbers[tree.number(new).unwrap() as usize]);
            }
        }
    }

    #[test]
    fn broken_datasheets_are_refused_or_read(
        model in table(), cut in any::<prop::sample::Index>(), changes in
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = sheet::dump(&tree_of(&model)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let short = &bytes[..cut.index(bytes.len())];
        for bytes in [&bytes[..], short] {
            if let Ok((tree, numbers)) = sheet::undump(bytes) {
                prop_assert!(tree.tables() == numbers.len());
                prop_assert!(tree.size() <= 4096 + 64 * bytes.len());
            }
            let _ = sheet::diff(bytes, bytes);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = sheet::undump(&bytes);
    }
}

#[test]
fn a_datasheet_has_the_bytes_of_the_reference() {
    let mut builder = Builder::new();
    builder.open().unwrap();
    builder.push(Value::Integer(7));
    let (name, text) = (builder.string(b"on").unwrap(), builder.string(b"x").unwrap());
    builder.insert(name, Value::Boolean(true));
    builder.push(text);
    let bytes = sheet::dump(&builder.finish().unwrap()).unwrap();
    // strings at 44, 1 table, at 0; array 2, named 1; types 1 5 3, padding; 7, "x"; "on" = true
    let mut expected = vec![40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([2, 0, 0, 0, 1, 0, 0, 0, 1, 5, 3, 0]);
    expected.extend([7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend(b"x\0on\0");
    assert_eq!(bytes, expected);
}

#[test]
fn rows_with_the_same_names_share_them() {
    let rows = |count: usize| {
        let mut builder = Builder::new();
        builder.open().unwrap();
        for row in 0..count {
            let node = builder.open().unwrap();
            for name in ["id", "name", "price", "weight"] {
                let name = builder.string(name.as_bytes()).unwrap();
                builder.insert(name, Value::Integer(i64::try_from(row).unwrap()));
            }
            builder.close().unwrap();
            builder.push(Value::Table(node));
        }
        builder.finish().unwrap().size()
    };
    // Four values, an entry of the list, and the head of the table.
    assert_eq!(rows(1001) - rows(1), 1000 * 6 * size_of::<Value>());
}

#[test]
fn a_large_tree_holds_what_was_put_in() {
    let mut builder = Builder::new();
    builder.open().unwrap();
    for row in 0..100_000 {
        let node = builder.open().unwrap();
        builder.push(Value::Integer(row));
        let name = builder.string(format!("row {row}").as_bytes()).unwrap();
        builder.push(name);
        builder.close().unwrap();
        builder.push(Value::Table(node));
    }
    let tree = builder.finish().unwrap();
    assert!(tree.size() > 6 << 20);
    for row in 0..100_000 {
        let Value::Table(node) = tree.get(Node::ROOT, Key::Integer(row + 1)) else {
            panic!("no row {row}")
        };
        assert_eq!(tree.get(node, Key::Integer(1)), Value::Integer(row));
        let Value::String(text) = tree.get(node, Key::Integer(2)) else { panic!("no text") };
        assert_eq!(tree.text(&text), format!("row {row}").as_bytes());
    }
    assert_eq!(tree.nodes().count(), tree.tables());
}

#[test]
fn a_name_that_comes_twice_has_the_last_value() {
    let mut builder = Builder::new();
    builder.open().unwrap();
    let name = builder.string(b"x").unwrap();
    builder.insert(name, Value::Integer(1));
    builder.insert(name, Value::Integer(2));
    let tree = builder.finish().unwrap();
    assert_eq!(tree.named(Node::ROOT), 1);
    assert_eq!(tree.get(Node::ROOT, Key::String(b"x")), Value::Integer(2));
}
