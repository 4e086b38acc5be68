//! Properties of the data formats: what is encoded comes back, and no bytes do harm.
//!
//! Not here: the exact bytes (`tests/process/formats.rs`), Lua values (`tests/lua`,
//! `tests/hostile/formats.lua`), the endless search for bad bytes (`fuzz/`, by `make fuzz-long`).

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bson;
mod crypt;
mod sproto;

use proptest::collection::vec;
use proptest::prelude::*;

use node::codec::crypt::des::{Key, Padding};
use node::codec::crypt::{base64, exchange, hex, xor};
use node::codec::md5::cipher;
use node::codec::sproto::pack;
use node::codec::sproto::reader::{Fields, Item, Numbers, number, numbers};
use node::codec::sproto::writer::{self, Head};

/// Bytes of which many are zero.
fn sparse() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), any::<u8>(), 1..4_u8], 0..600)
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Iso7816), Just(Padding::Pkcs7)]
}

proptest! {
    #[test]
    fn text_forms_come_back(bytes in vec(any::<u8>(), 0..300), foreign in "[ \r\n.-]{0,3}") {
        let (mut text, mut back) = (Vec::new(), Vec::new());
        base64::encode(&mut text, &bytes);
        let spaced: Vec<u8> = text
            .iter()
            .flat_map(|byte| std::iter::once(*byte).chain(foreign.bytes()))
            .collect();
        prop_assert!(base64::decode(&mut back, &spaced).is_ok());
        prop_assert_eq!(&back, &bytes);
        text.clear();
        back.clear();
        hex::encode(&mut text, &bytes);
        prop_assert!(hex::decode(&mut back, &text).is_ok());
        prop_assert_eq!(&back, &bytes);
    }

    #[test]
    fn what_is_encrypted_comes_back(
        bytes in vec(any::<u8>(), 0..300),
        key in any::<[u8; 8]>(),
        long_key in vec(any::<u8>(), 0..=cipher::KEY),
        seed in vec(any::<u8>(), 0..=cipher::SEED),
        padding in padding(),
    ) {
        let (mut secret, mut back) = (Vec::new(), Vec::new());
        let key = Key::new(key);
        key.encrypt(&mut secret, &bytes, padding);
        prop_assert!(key.decrypt(&mut back, &secret, padding).is_ok());
        prop_assert_eq!(&back, &bytes);
        secret.clear();
        back.clear();
        prop_assert!(cipher::encrypt(&mut secret, &bytes, &long_key, &seed).is_ok());
        prop_assert!(cipher::decrypt(&mut back, &secret, &long_key).is_ok());
        prop_assert_eq!(&back, &bytes);
        if !long_key.is_empty() {
            secret.clear();
            back.clear();
            xor(&mut secret, &bytes, &long_key);
            xor(&mut back, &secret, &long_key);
            prop_assert_eq!(&back, &bytes);
        }
    }

    #[test]
    fn both_sides_of_an_exchange_agree(one in 1..u64::MAX, other in 1..u64::MAX) {
        let secret = exchange::shared(exchange::public(one).unwrap(), other);
        prop_assert_eq!(secret, exchange::shared(exchange::public(other).unwrap(), one));
    }

    #[test]
    fn packed_zeros_come_back_with_the_last_word_filled_up(bytes in sparse()) {
        let (mut packed, mut back) = (Vec::new(), Vec::new());
        pack::pack(&mut packed, &bytes);
        prop_assert!(pack::unpack(&mut back, &packed).is_ok());
        prop_assert_eq!(back.len(), bytes.len().next_multiple_of(8));
        prop_assert_eq!(&back[..bytes.len()], &bytes[..]);
        prop_assert!(back[bytes.len()..].iter().all(|byte| *byte == 0));
        prop_assert!(packed.len() <= back.len() + back.len().div_ceil(2048) * 2);
    }

    #[test]
    fn fields_come_back_with_their_tags(
        values in proptest::collection::btree_map(0..0x7fff_u16, any::<i64>(), 0..20),
        list in vec(any::<i32>(), 0..20),
        wide in any::<Option<i64>>(),
    ) {
        let mut out = Vec::new();
        let mut head = Head::begin(&mut out, 2 * values.len());
        for (tag, value) in &values {
            head.number(&mut out, *tag, *value);
        }
        head.end(&mut out);
        let mut fields = Fields::new(&out).unwrap();
        for (tag, value) in &values {
            let (found, item) = fields.next_field().unwrap().unwrap();
            prop_assert_eq!(found, u32::from(*tag));
            prop_assert_eq!(*value, match item {
                Item::Inline(value) => i64::from(value),
                Item::Data(data) => number(data).unwrap(),
            });
        }
        prop_assert_eq!((fields.next_field(), fields.left()), (Ok(None), 0));

        out.clear();
        let list: Vec<i64> = list.into_iter().map(i64::from).chain(wide).collect();
        let mut array = writer::Numbers::begin(&mut out, false);
        list.iter().for_each(|value| array.push(&mut out, *value));
        array.end(&mut out);
        let back: Vec<i64> = match numbers(&out[4..]).unwrap() {
            Numbers::Narrow(list) => list.iter().map(|n| i32::from_le_bytes(*n).into()).collect(),
            Numbers::Wide(list) => list.iter().map(|n| i64::from_le_bytes(*n)).collect(),
        };
        prop_assert_eq!(back, list);
    }

    #[test]
    fn a_schema_that_is_put_together_compiles_to_a_bundle_that_is_read(
        names in proptest::collection::btree_set("[a-z][a-z0-9_]{0,6}", 1..8),
        kinds in vec(0..9_usize, 8),
        tags in proptest::collection::btree_set(0..0x7fff_u16, 8),
    ) {
        let (text, count) = sproto::text(&names, &kinds, &tags);
        sproto::compiles(&text, count);
    }

    #[test]
    fn bytes_from_anywhere_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        crypt::examine(&bytes);
        sproto::examine(&bytes);
        sproto::examine_text(&bytes);
        bson::examine(&bytes);
    }

    #[test]
    fn structures_that_are_spoilt_do_no_harm(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sproto::bundle();
        prop_assert!(bytes.len() > 100);
        *place.get_mut(&mut bytes) = byte;
        sproto::examine(&bytes[..=cut.index(bytes.len())]);
        let mut bytes = bson::DOCUMENT.to_vec();
        *place.get_mut(&mut bytes) = byte;
        bson::examine(&bytes[..=cut.index(bytes.len())]);
    }

    #[test]
    fn texts_that_look_like_schemas_do_no_harm(text in "[.a{}: 0-9*()\n#x]{0,80}") {
        sproto::examine_text(text.as_bytes());
    }
}
