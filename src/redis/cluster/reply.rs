//! Replies of the `redis` crate as the bytes that the server sent, which is what the decoder of
//! scripts reads.
//!
//! Not here: decoding (`codec::resp`).

use redis::{RedisError, ServerError, Value};

/// The bytes of a reply.
pub(super) fn bytes_of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, value);
    bytes
}

fn write(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => to.extend_from_slice(b"$-1\r\n"),
        Value::Int(number) => line(to, b':', number.to_string().as_bytes()),
        Value::Boolean(yes) => line(to, b':', if *yes { b"1" } else { b"0" }),
        Value::BulkString(text) => bulk(to, text),
        Value::SimpleString(text) => line(to, b'+', text.as_bytes()),
        Value::Okay => line(to, b'+', b"OK"),
        Value::Array(values) | Value::Set(values) => {
            line(to, b'*', values.len().to_string().as_bytes());
            values.iter().for_each(|value| write(to, value));
        }
        // The following exist in the other protocol alone, which is never spoken here.
        Value::Map(pairs) => {
            line(to, b'*', (2 * pairs.len()).to_string().as_bytes());
            for (key, value) in pairs {
                write(to, key);
                write(to, value);
            }
        }
        Value::Attribute { data, .. } => write(to, data),
        Value::Double(number) => bulk(to, number.to_string().as_bytes()),
        Value::VerbatimString { text, .. } => bulk(to, text.as_bytes()),
        Value::ServerError(error) => line(to, b'-', text_of(error).as_bytes()),
        other => bulk(to, format!("{other:?}").as_bytes()),
    }
}

fn line(to: &mut Vec<u8>, kind: u8, text: &[u8]) {
    to.push(kind);
    to.extend_from_slice(text);
    to.extend_from_slice(b"\r\n");
}

fn bulk(to: &mut Vec<u8>, text: &[u8]) {
    line(to, b'$', text.len().to_string().as_bytes());
    to.extend_from_slice(text);
    to.extend_from_slice(b"\r\n");
}

/// An error of the server, as it words it.
pub(super) fn text_of(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// Why something failed: in the server's words if it is the server that refuses.
pub fn reason(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_the_bytes_it_was_read_from() {
        for bytes in [
            "$-1\r\n",
            "$0\r\n\r\n",
            "$3\r\na\r\n\r\n",
            ":-7\r\n",
            "+OK\r\n",
            "+PONG\r\n",
            "-ERR wrong number\r\n",
            "-MOVED 1 127.0.0.1:7000\r\n",
            "-NOAUTH\r\n",
            "*0\r\n",
            "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n-WRONGTYPE x y\r\n",
        ] {
            let value = redis::parse_redis_value(bytes.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(bytes_of(&value)).unwrap(), bytes);
        }
    }
}
