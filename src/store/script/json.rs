//! JSON for scripts: Lua values to text, with the rules and error texts of `cjson`.
//!
//! Invariant: a table is an array if all its keys are positive integers, not too sparse.

use mlua::{Table, Value};

/// Deepest nesting, of text and of tables.
pub(super) const DEPTH: usize = 1000;
/// Largest index of an array that may be as sparse as it likes.
const SAFE_INDEX: i64 = 10;
/// How many times more places than elements a larger array may have.
const SPARSE_RATIO: i64 = 2;

/// Writes a value.
///
/// # Errors
/// When it has no JSON.
pub(super) fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

fn refuse(value: &Value, why: &str) -> String {
    let name = match value {
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    };
    let name = if matches!(value, Value::Integer(_)) { "number" } else { name };
    format!("Cannot serialise {name}: {why}")
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Number(number) if number.is_finite() => out.extend_from_slice(&short(*number)),
        Value::Number(_) => return Err(refuse(value, "must not be NaN or Inf")),
        Value::String(text) => write_string(&text.as_bytes(), out),
        Value::Table(table) => {
            if depth >= DEPTH {
                return Err(format!("Cannot serialise, excessive depth ({})", depth + 1));
            }
            write_table(table, depth + 1, out)?;
        }
        other => return Err(refuse(other, "type not supported")),
    }
    Ok(())
}

/// A number with 14 significant digits, as C's `%.14g`.
fn short(value: f64) -> Vec<u8> {
    let rounded: f64 = format!("{value:.13e}").parse().unwrap_or(value);
    let exponent = if rounded == 0.0 { 0.0 } else { rounded.abs().log10().floor() };
    if (-4.0..14.0).contains(&exponent) {
        // Rust's shortest text of a number rounded to 14 digits has no more of them.
        return format!("{rounded}").into_bytes();
    }
    let text = format!("{rounded:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{mantissa}e{sign}{digits:0>2}").into_bytes()
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'/' => out.extend_from_slice(b"\\/"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..=31 | 127 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

/// Places of the array that a table is, if it is one.
fn array_length(table: &Table) -> Result<Option<i64>, String> {
    let (mut largest, mut count) = (0, 0);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair.map_err(|error| error.to_string())?;
        match key {
            Value::Integer(index) if index > 0 => {
                largest = largest.max(index);
                count += 1;
            }
            _ => return Ok(None),
        }
    }
    if largest > count * SPARSE_RATIO && largest > SAFE_INDEX {
        return Err("Cannot serialise table: excessively sparse array".to_owned());
    }
    // A table without anything is an object, as cjson has it.
    Ok((count > 0).then_some(largest))
}

fn write_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let failed = |error: mlua::Error| error.to_string();
    if let Some(length) = array_length(table)? {
        out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                out.push(b',');
            }
            write(&table.raw_get(index).map_err(failed)?, depth, out)?;
        }
        out.push(b']');
        return Ok(());
    }
    out.push(b'{');
    let mut first = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(failed)?;
        if !std::mem::replace(&mut first, false) {
            out.push(b',');
        }
        match &key {
            Value::String(text) => write_string(&text.as_bytes(), out),
            Value::Integer(_) | Value::Number(_) => {
                out.push(b'"');
                write(&key, depth, out)?;
                out.push(b'"');
            }
            other => return Err(refuse(other, "table key must be a number or string")),
        }
        out.push(b':');
        write(&value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}
