//! Tests of replies.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

fn whole(input: &[u8]) -> Result<Option<usize>, Malformed> {
    Scanner::default().scan(input, LIMIT)
}

/// The lengths of the replies in `input`, which arrives in pieces of `step` bytes.
fn in_pieces(input: &[u8], step: usize) -> Vec<usize> {
    let mut scanner = Scanner::default();
    let mut lengths = Vec::new();
    let mut start = 0;
    let mut arrived = 0;
    while arrived < input.len() {
        arrived = (arrived + step).min(input.len());
        while let Some(length) = scanner.scan(&input[start..arrived], LIMIT).unwrap() {
            lengths.push(length);
            start += length;
        }
    }
    assert_eq!(start, input.len(), "everything is a reply");
    lengths
}

#[test]
fn each_kind_of_reply_has_its_end() {
    for text in [
        "+OK\r\n",
        "-ERR no\r\n",
        ":-12\r\n",
        "$3\r\na\r\n\r\n",
        "$0\r\n\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*2\r\n$1\r\na\r\n*1\r\n*0\r\n",
        "*3\r\n*2\r\n:1\r\n:2\r\n*-1\r\n+x\r\n",
    ] {
        let mut input = text.as_bytes().to_vec();
        for length in 0..input.len() {
            assert_eq!(whole(&input[..length]), Ok(None), "{text:?} up to {length}");
        }
        input.extend_from_slice(b"+next");
        assert_eq!(whole(&input), Ok(Some(text.len())), "{text:?}");
    }
}

#[test]
fn what_is_no_reply_is_named() {
    let kind = |text: &[u8]| match whole(text) {
        Err(malformed) => malformed.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(b"HTTP/1.1 400 Bad\r\n"), "\"HTTP/1.1 400 Bad\\r\\n\" is no RESP2 reply");
    assert_eq!(kind(b"%1\r\n"), "\"%1\\r\\n\" is no RESP2 reply");
    assert_eq!(kind(b":1x\r\n"), "\"1x\" is no number of RESP2");
    assert_eq!(kind(b"$-2\r\n"), "\"-2\" is no number of RESP2");
    assert_eq!(kind(b"$1\r\nabc"), "a string does not end where its length says");
    assert_eq!(kind(b"+a\n"), "\"+a\\n\" is no RESP2 reply");
    assert_eq!(kind(&b"*1\r\n".repeat(MAX_DEPTH + 1)), "arrays are nested deeper than 128");
    let digits = [b"$".as_slice(), &[b'1'; LENGTH_LINE]].concat();
    assert!(whole(&digits).is_err(), "a length without end");
}

#[test]
fn a_reply_that_is_too_long_is_refused_when_it_is_announced() {
    let scan = |text: &[u8]| Scanner::default().scan(text, 100);
    assert_eq!(scan(b"$536870912\r\n"), Err(Malformed::TooLong(536_870_912 + 14)));
    assert!(matches!(scan(b"*1000000\r\n"), Err(Malformed::TooLong(_))));
    assert!(matches!(scan(b"$9223372036854775807\r\n"), Err(Malformed::TooLong(_))));
    let line = [b"+".as_slice(), &[b'a'; 100]].concat();
    assert!(matches!(scan(&line), Err(Malformed::TooLong(_))));
    // Many small values that are too much together.
    let many = [b"*33\r\n".as_slice(), &b"$2\r\nab\r\n".repeat(33)].concat();
    assert!(matches!(scan(&many), Err(Malformed::TooLong(_))));
}

#[test]
fn it_is_known_early_how_much_a_long_string_needs() {
    let mut scanner = Scanner::default();
    let input = b"*2\r\n:1\r\n$5000\r\nabc";
    assert_eq!(scanner.scan(input, LIMIT), Ok(None));
    assert_eq!(scanner.needed(input), 4 + 4 + 7 + 5000 + 2);
}

#[test]
fn numbers_are_of_64_bits() {
    assert_eq!(number(b"9223372036854775807"), Some(i64::MAX));
    assert_eq!(number(b"-9223372036854775808"), Some(i64::MIN));
    assert_eq!(number(b"9223372036854775808"), None);
    assert_eq!((number(b""), number(b"-"), number(b"1a")), (None, None, None));
}

#[derive(Clone, Debug)]
enum Value {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    NilArray,
    Array(Vec<Value>),
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Status(text) => put_status(out, text.as_bytes()),
        Value::Error(text) => put_error(out, text.as_bytes()),
        Value::Integer(value) => put_integer(out, *value),
        Value::Bulk(bytes) => put_bulk(out, bytes),
        Value::Nil => put_nil(out),
        Value::NilArray => put_nil_array(out),
        Value::Array(values) => {
            put_array(out, values.len());
            values.iter().for_each(|value| put(out, value));
        }
    }
}

fn check(reader: &mut Reader<'_>, value: &Value) {
    let item = reader.next_item().unwrap();
    match value {
        Value::Status(text) => assert_eq!(item, Item::Status(text.as_bytes())),
        Value::Error(text) => assert_eq!(item, Item::Error(text.as_bytes())),
        Value::Integer(value) => assert_eq!(item, Item::Integer(*value)),
        Value::Bulk(bytes) => assert_eq!(item, Item::Bulk(bytes)),
        Value::Nil | Value::NilArray => assert_eq!(item, Item::Nil),
        Value::Array(values) => {
            assert_eq!(item, Item::Array(values.len()));
            values.iter().for_each(|value| check(reader, value));
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-zA-Z ]{0,20}".prop_map(Value::Status),
        "[A-Z]{1,8} [a-z ]{0,20}".prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        proptest::collection::vec(any::<u8>(), 0..64).prop_map(Value::Bulk),
        Just(Value::Nil),
        Just(Value::NilArray),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        proptest::collection::vec(inner, 0..8).prop_map(Value::Array)
    })
}

proptest! {
    #[test]
    fn replies_are_found_and_read_however_they_are_cut(
        all in proptest::collection::vec(values(), 1..8),
        step in 1_usize..40,
    ) {
        let mut input = Vec::new();
        let mut lengths = Vec::new();
        for value in &all {
            let start = input.len();
            put(&mut input, value);
            lengths.push(input.len() - start);
        }
        prop_assert_eq!(in_pieces(&input, step), lengths);
        let mut reader = Reader::new(&input);
        all.iter().for_each(|value| check(&mut reader, value));
        prop_assert!(reader.is_at_end());
        let mut reader = Reader::new(&input);
        for length in in_pieces(&input, step) {
            let before = reader.rest().len();
            prop_assert!(reader.skip());
            prop_assert_eq!(before - reader.rest().len(), length);
        }
        prop_assert!(!reader.skip());
    }

    #[test]
    fn no_bytes_make_it_stumble(
        input in proptest::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"+-:$*\r\n0123456789".to_vec())],
            0..200,
        ),
    ) {
        if let Ok(Some(length)) = whole(&input) {
            let mut reader = Reader::new(&input[..length]);
            while !reader.is_at_end() {
                prop_assert!(reader.next_item().is_some());
            }
        }
    }
}
