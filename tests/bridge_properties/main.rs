//! Properties of the bridge's messages: what is written is read, and no bytes break the reader.
//!
//! Not here: single cases (`src/codec/bridge.rs`), what transfers do (`tests/bridge_model`).

mod message;

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use node::codec::bridge::{parse, write};

proptest! {
    #[test]
    fn a_message_is_read_as_it_was_written(
        command in "[A-Za-z0-9_.-]{1,20}",
        fields in btree_map("[A-Za-z0-9_.*-]{1,12}", vec(any::<u8>(), 0..40), 0..12),
    ) {
        let mut pairs: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_bytes(), &value[..])).collect();
        pairs.reverse();
        let mut out = Vec::new();
        write(&mut out, command.as_bytes(), &mut pairs).expect("all of it is allowed");
        let text = std::str::from_utf8(&out).expect("what is no text is escaped");
        prop_assert!(text.chars().all(|c| !c.is_ascii_control()));
        let parsed = parse(&out).expect("what is written can be read");
        prop_assert_eq!(parsed.command, command.as_bytes());
        let read: BTreeMap<String, Vec<u8>> = parsed
            .fields()
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.into_owned()))
            .collect();
        prop_assert_eq!(read, fields);
    }

    #[test]
    fn bytes_from_anywhere_are_a_message_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        message::examine(&bytes);
    }

    #[test]
    fn bytes_of_the_alphabet_are_a_message_or_refused(bytes in "[ab%2@|=]{0,60}") {
        message::examine(bytes.as_bytes());
    }
}
