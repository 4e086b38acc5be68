//! The modules that scripts find: `redis`, `cjson`, `bit`; and what becomes of errors.
//!
//! Invariant: whatever fails, a script that catches it gets a string.

use mlua::{Lua, Table, Value, Variadic};

use super::{OutOfTime, Refused, digest, json, json_read};

/// The text of an error of Lua, without the traceback.
pub(super) fn message(error: &mlua::Error) -> Vec<u8> {
    match error {
        mlua::Error::CallbackError { cause, .. } => message(cause),
        mlua::Error::ExternalError(cause) => match cause.downcast_ref::<Refused>() {
            Some(refused) => refused.text.clone(),
            None => cause.to_string().into_bytes(),
        },
        mlua::Error::SyntaxError { message, .. } | mlua::Error::RuntimeError(message) => {
            let text = message.split("\nstack traceback:").next().unwrap_or(message);
            text.as_bytes().to_vec()
        }
        other => other.to_string().into_bytes(),
    }
}

fn is_out_of_time(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::CallbackError { cause, .. } => is_out_of_time(cause),
        mlua::Error::ExternalError(cause) => cause.downcast_ref::<OutOfTime>().is_some(),
        _ => false,
    }
}

/// True when the error has its code already, since a command of the store gave it.
fn is_refusal(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::CallbackError { cause, .. } => is_refusal(cause),
        mlua::Error::ExternalError(cause) => cause.downcast_ref::<Refused>().is_some(),
        _ => false,
    }
}

/// What a script gets that catches an error.
pub(super) fn caught(lua: &Lua, value: Value) -> mlua::Result<Value> {
    match value {
        Value::Error(error) if is_out_of_time(&error) => Err(*error),
        Value::Error(error) => Ok(Value::String(lua.create_string(positioned(lua, &error))?)),
        Value::Table(table) => match table.raw_get("err")? {
            Value::String(text) => Ok(Value::String(text)),
            _ => Ok(Value::Table(table)),
        },
        other => Ok(other),
    }
}

/// The text of an error of a native function; the place in the script is put before it, but for
/// errors of commands.
fn positioned(lua: &Lua, error: &mlua::Error) -> Vec<u8> {
    let text = message(error);
    match place(lua) {
        Some((_, line)) if !is_refusal(error) => {
            [format!("user_script:{line}: ").as_bytes(), &text].concat()
        }
        _ => text,
    }
}

/// Where the script is: the innermost function of it.
fn place(lua: &Lua) -> Option<(String, usize)> {
    (1..16).find_map(|level| {
        lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.map(|name| name.into_owned())?;
            let line = debug.current_line()?;
            name.starts_with("@user_script").then_some((name, line))
        })
        .flatten()
    })
}

/// The message handler of a script: what is known of the error, in a table.
pub(super) fn failure(lua: &Lua, value: Value) -> mlua::Result<Table> {
    let table = match value {
        Value::Table(table) => table,
        Value::Error(error) => {
            let text = positioned(lua, &error);
            let coded = if is_refusal(&error) { text } else { [b"ERR ", &*text].concat() };
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string(coded)?)?;
            table
        }
        other => {
            let text = other.to_string().unwrap_or_default();
            let text = match &other {
                Value::String(text) => text.as_bytes().to_vec(),
                _ => text.into_bytes(),
            };
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string([b"ERR ", &*text].concat())?)?;
            table
        }
    };
    if let Some((source, line)) = place(lua) {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

fn single_field(lua: &Lua, name: &str, text: &[u8]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(name, lua.create_string(text)?)?;
    Ok(table)
}

/// The text of `error_reply`: a first word that says the kind of error, or `ERR` in front.
fn coded(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

const WRONG: &[u8] = b"ERR wrong number or type of arguments";

/// The module `redis`, but for `call` and `pcall`, which each run brings.
pub(super) fn redis(lua: &Lua) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let error_reply = lua.create_function(|lua, args: Variadic<Value>| match &args[..] {
        [Value::String(text)] => single_field(lua, "err", &coded(&text.as_bytes())),
        _ => single_field(lua, "err", WRONG),
    })?;
    let status_reply = lua.create_function(|lua, args: Variadic<Value>| match &args[..] {
        [Value::String(text)] => single_field(lua, "ok", &text.as_bytes()),
        _ => single_field(lua, "err", WRONG),
    })?;
    let sha1hex = lua.create_function(|_, args: Variadic<Value>| match &args[..] {
        [value] => Ok(digest(&super::convert::argument(value).unwrap_or_default())),
        _ => Err(mlua::Error::runtime("wrong number of arguments")),
    })?;
    let setresp = lua.create_function(|_, args: Variadic<Value>| match &args[..] {
        [Value::Integer(2)] => Ok(()),
        [Value::Integer(_) | Value::Number(_)] => {
            Err(mlua::Error::runtime("RESP version must be 2."))
        }
        _ => Err(mlua::Error::runtime("redis.setresp() requires one argument.")),
    })?;
    redis.raw_set("error_reply", error_reply)?;
    redis.raw_set("status_reply", status_reply)?;
    redis.raw_set("sha1hex", sha1hex)?;
    redis.raw_set("setresp", setresp)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    redis.raw_set("REDIS_VERSION", "7.0.15")?;
    redis.raw_set("REDIS_VERSION_NUM", 0x0007_000f)?;
    for (level, name) in ["DEBUG", "VERBOSE", "NOTICE", "WARNING"].into_iter().enumerate() {
        redis.raw_set(format!("LOG_{name}"), level)?;
    }
    Ok(redis)
}

/// The module `cjson`.
pub(super) fn cjson(lua: &Lua) -> mlua::Result<Table> {
    let cjson = lua.create_table()?;
    let encode = lua.create_function(|lua, args: Variadic<Value>| match &args[..] {
        [value] => lua.create_string(json::encode(value).map_err(mlua::Error::runtime)?),
        _ => Err(mlua::Error::runtime("bad argument #1 to 'encode' (expected 1 argument)")),
    })?;
    let decode =
        lua.create_function(|lua, text: mlua::LuaString| json_read::decode(lua, &text.as_bytes()))?;
    cjson.raw_set("encode", encode)?;
    cjson.raw_set("decode", decode)?;
    cjson.raw_set("null", Value::NULL)?;
    cjson.raw_set("_NAME", "cjson")?;
    Ok(cjson)
}

type Operation = fn(u32, u32) -> u32;

/// The low 32 bits of a number.
fn word(value: &Value) -> mlua::Result<u32> {
    let number = match value {
        Value::Integer(value) => *value,
        #[allow(clippy::cast_possible_truncation, reason = "the fraction is what goes")]
        Value::Number(value) => value.round_ties_even() as i64,
        _ => return Err(mlua::Error::runtime("bad argument (number expected)")),
    };
    Ok((number & 0xffff_ffff) as u32)
}

/// The module `bit`: operations on 32 bits, with signed results.
pub(super) fn bit(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    let signed = |value: u32| i64::from(value.cast_signed());
    let folds: [(&str, Operation); 3] =
        [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, operation) in folds {
        let function = lua.create_function(move |_, args: Variadic<Value>| {
            let Some((first, others)) = args.split_first() else {
                return Err(mlua::Error::runtime(
                    "bad argument #1 (number expected, got no value)",
                ));
            };
            let mut result = word(first)?;
            for other in others {
                result = operation(result, word(other)?);
            }
            Ok(signed(result))
        })?;
        bit.raw_set(name, function)?;
    }
    let shifts: [(&str, Operation); 5] = [
        ("lshift", |a, by| a << by),
        ("rshift", |a, by| a >> by),
        ("arshift", |a, by| (a.cast_signed() >> by).cast_unsigned()),
        ("rol", u32::rotate_left),
        ("ror", u32::rotate_right),
    ];
    for (name, operation) in shifts {
        let function = lua.create_function(move |_, (value, by): (Value, Value)| {
            Ok(signed(operation(word(&value)?, word(&by)? & 31)))
        })?;
        bit.raw_set(name, function)?;
    }
    bit.raw_set("bnot", lua.create_function(move |_, v: Value| Ok(signed(!word(&v)?)))?)?;
    bit.raw_set("tobit", lua.create_function(move |_, v: Value| Ok(signed(word(&v)?)))?)?;
    let bswap = lua.create_function(move |_, v: Value| Ok(signed(word(&v)?.swap_bytes())))?;
    bit.raw_set("bswap", bswap)?;
    let tohex = lua.create_function(|_, (value, digits): (Value, Option<i64>)| {
        let digits = digits.unwrap_or(8);
        let width = usize::try_from(digits.unsigned_abs().min(8)).unwrap_or(8);
        let text = format!("{:08x}", word(&value)?);
        let text = text[8 - width..].to_owned();
        Ok(if digits < 0 { text.to_uppercase() } else { text })
    })?;
    bit.raw_set("tohex", tohex)?;
    Ok(bit)
}
