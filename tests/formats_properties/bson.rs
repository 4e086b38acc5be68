//! What bytes may not do to the reader of BSON.

use node::codec::bson::{Document, Place, READ_DEPTH, Value, array_index, is_text};

/// A document with one element of each kind that is in use.
#[allow(dead_code, reason = "the fuzzer needs none")]
pub(crate) const DOCUMENT: &[u8] =
    b"\x87\0\0\0\x01d\0\0\0\0\0\0\0\xf0\x3f\x02s\0\x02\0\0\0x\0\x03o\0\x08\0\0\0\x0aa\0\0\x04l\
    \0\x0c\0\0\0\x10\x30\0\x01\0\0\0\0\x05b\0\x02\0\0\0\0\x01\x02\x07i\0\0\x01\x02\x03\x04\
    \x05\x06\x07\x08\x09\x0a\x0b\x08t\0\x01\x09n\0\0\0\0\0\0\0\0\0\x0br\0p\0o\0\x0dc\0\x02\0\
    \0\0x\0\x11m\0\x01\0\0\0\x02\0\0\0\x12w\0\x01\0\0\0\0\0\0\0\xffk\0\x7fz\0\0";

/// Reads the bytes as a document, as the binding does.
pub(crate) fn examine(bytes: &[u8]) {
    walk(bytes, 0);
    let _ = is_text(bytes);
    if let Ok(mut document) = Document::new(bytes) {
        let length = document.left();
        while let Ok(Some(Place { kind, at, .. })) = document.next_place() {
            if let (Some(left), Some(width)) = (at, kind.width()) {
                assert!(left <= length && width <= left);
            }
        }
    }
}

fn walk(bytes: &[u8], depth: usize) {
    if depth > READ_DEPTH {
        return;
    }
    let Ok(mut document) = Document::new(bytes) else { return };
    assert!(document.left() + 5 <= bytes.len());
    if let Ok(count) = document.count() {
        assert!(count * 2 <= bytes.len());
    }
    while let Ok(Some((key, value))) = document.next_element() {
        let _ = array_index(key);
        match value {
            Value::Document(inner) | Value::Array(inner) => walk(inner, depth + 1),
            _ => {}
        }
    }
}
