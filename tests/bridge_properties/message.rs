//! What must hold of any bytes that come as a message, for the property tests and the fuzzer alike.

use node::codec::bridge::{LONGEST, MOST_FIELDS, parse, write};

/// Reads `bytes`; what is a message is written again, and is then read as the same.
pub(crate) fn examine(bytes: &[u8]) {
    let Ok(parsed) = parse(bytes) else { return };
    assert!(bytes.len() <= LONGEST && parsed.len() <= MOST_FIELDS);
    let fields: Vec<_> = parsed.fields().collect();
    let mut pairs: Vec<(&[u8], &[u8])> =
        fields.iter().map(|(name, value)| (*name, &**value)).collect();
    let mut out = Vec::new();
    if write(&mut out, parsed.command, &mut pairs).is_err() {
        // Escapes may make it longer than a message can be.
        assert!(bytes.len() > LONGEST / 3);
        return;
    }
    let again = parse(&out).expect("what is written can be read");
    assert_eq!(again.command, parsed.command);
    for (name, value) in fields {
        assert_eq!(again.field(name), Some(value));
    }
    let mut pairs_again: Vec<_> = again.fields().collect();
    pairs_again.sort();
    let mut sorted: Vec<_> = parsed.fields().collect();
    sorted.sort();
    assert_eq!(pairs_again, sorted);
}
