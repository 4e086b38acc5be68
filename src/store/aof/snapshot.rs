//! What the store holds now, as the commands that would make it.
//!
//! Invariant: no command is longer than a client may send.

use std::io::{self, Write};

use crate::store::Store;
use crate::store::journal::write_command;
use crate::store::number::{float_text, integer_text};
use crate::store::value::Value;

/// Elements of one command.
const ELEMENTS: usize = 64;

/// Writes all databases.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn write(store: &Store, out: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    for number in 0..store.keys.count() {
        let db = store.keys.db(number);
        if db.is_empty() {
            continue;
        }
        let shown = integer_text(i64::try_from(number).unwrap_or_default());
        write_command(&[b"SELECT", &*shown], &mut bytes);
        for (key, entry) in db.iter().filter(|(_, entry)| !store.keys.is_over(entry)) {
            write_value(key, &entry.value, &mut bytes);
            if let Some(end) = entry.expires {
                let end = integer_text(i64::try_from(end).unwrap_or(i64::MAX));
                write_command(&[b"PEXPIREAT", &**key, &end], &mut bytes);
            }
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.flush()
}

fn write_value(key: &[u8], value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => write_command(&[b"SET", key, &text.bytes()], out),
        Value::List(list) => {
            let items: Vec<Vec<u8>> = list.iter().map(<[u8]>::to_vec).collect();
            write_parts("RPUSH", key, &items, 1, out);
        }
        Value::Set(set) => {
            let members: Vec<Vec<u8>> = set.iter().map(|member| member.into_owned()).collect();
            write_parts("SADD", key, &members, 1, out);
        }
        Value::Hash(hash) => {
            let pairs = hash.iter().flat_map(|(field, value)| [field.to_vec(), value.to_vec()]);
            write_parts("HSET", key, &pairs.collect::<Vec<_>>(), 2, out);
        }
        Value::Sorted(sorted) => {
            let pair = |entry: &crate::store::value::Ranked| {
                [float_text(entry.score), entry.member.to_vec()]
            };
            let pairs: Vec<Vec<u8>> = sorted.iter().flat_map(pair).collect();
            write_parts("ZADD", key, &pairs, 2, out);
        }
    }
}

/// A collection as commands of some elements each, of `width` arguments.
fn write_parts(name: &str, key: &[u8], items: &[Vec<u8>], width: usize, out: &mut Vec<u8>) {
    for part in items.chunks(ELEMENTS * width) {
        let mut words: Vec<&[u8]> = vec![name.as_bytes(), key];
        words.extend(part.iter().map(Vec::as_slice));
        write_command(&words, out);
    }
}
