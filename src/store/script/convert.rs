//! Replies as Lua values, and Lua values as replies and arguments.
//!
//! Invariant: numbers lose their fraction on the way to a reply, and an array ends at its first
//! nil, as in Redis.

use mlua::{Lua, Table, Value};

use crate::store::number::{float_text, integer_text};
use crate::store::reply::{Answer, Failure, Reply};

/// Deepest table that becomes a reply.
const DEPTH: usize = 128;

/// A reply as a script gets it.
pub(super) fn to_lua(lua: &Lua, reply: &Reply) -> mlua::Result<Value> {
    let field = |name: &str, text: &[u8]| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Status(text) => field("ok", text.as_bytes()),
        Reply::Error(failure) => field("err", failure.text()),
        Reply::Integer(value) => Ok(Value::Integer(*value)),
        Reply::Bulk(bytes) => Ok(Value::String(lua.create_string(bytes)?)),
        Reply::Nil | Reply::NilArray => Ok(Value::Boolean(false)),
        Reply::Array(items) | Reply::Several(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
    }
}

/// A Lua value as an argument of a command.
pub(super) fn argument(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(value) => Some(integer_text(*value)),
        Value::Number(value) => Some(float_text(*value)),
        _ => None,
    }
}

/// The result of a script as its reply.
pub(super) fn to_reply(value: &Value, depth: usize) -> Answer {
    match value {
        Value::String(text) => Ok(Reply::bulk(text.as_bytes())),
        Value::Integer(value) => Ok(Reply::Integer(*value)),
        Value::Number(value) => Ok(Reply::Integer(whole(*value))),
        Value::Boolean(true) => Ok(Reply::Integer(1)),
        Value::Table(table) => table_reply(table, depth),
        _ => Ok(Reply::Nil),
    }
}

/// The integer that C makes of a float.
fn whole(value: f64) -> i64 {
    /// The first float that is too large.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&value) {
        #[allow(clippy::cast_possible_truncation, reason = "the fraction is what goes")]
        return value as i64;
    }
    i64::MIN
}

fn text_field(table: &Table, name: &str) -> Option<Vec<u8>> {
    match table.raw_get(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn table_reply(table: &Table, depth: usize) -> Answer {
    if depth >= DEPTH {
        return Err(Failure::new("ERR reached lua stack limit"));
    }
    if let Some(text) = text_field(table, "err") {
        return Ok(Reply::Error(Failure::of(text)));
    }
    if let Some(text) = text_field(table, "ok") {
        return Ok(Reply::Status(String::from_utf8_lossy(&text).into_owned().into()));
    }
    let mut items = Vec::new();
    for index in 1.. {
        match table.raw_get(index) {
            Ok(Value::Nil) | Err(_) => break,
            Ok(value) => items.push(to_reply(&value, depth + 1)?),
        }
    }
    Ok(Reply::Array(items))
}

/// The error of a script that failed, from what `library::failure` has made of it.
pub(super) fn failure(value: &Value, digest: &str) -> Failure {
    let table = match value {
        Value::Table(table) => table,
        // Without memory there is no table either.
        Value::String(text) => {
            let text = String::from_utf8_lossy(&text.as_bytes()).into_owned();
            return Failure::of(format!("ERR Error running script {digest}: {text}"));
        }
        _ => return Failure::of(format!("ERR Error running script {digest}: execution failure")),
    };
    let mut text = text_field(table, "err").unwrap_or_else(|| b"ERR unknown error".to_vec());
    if let (Some(source), Ok(Value::Integer(line))) =
        (text_field(table, "source"), table.raw_get("line"))
    {
        let source = String::from_utf8_lossy(&source).into_owned();
        text.extend_from_slice(format!(" script: {digest}, on {source}:{line}.").as_bytes());
    }
    Failure::of(text)
}
