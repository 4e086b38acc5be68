//! The values that a config leaves behind, turned into text.
//!
//! Invariant: the text of a value is what `skynet.getenv` returns.
//! Not here: what a key means (`settings.rs`), how its line was found (`evaluate.rs`).

use std::collections::{BTreeMap, HashMap};

use mlua::{Lua, LuaString, Table, Value};

use super::error::{ConfigError, Place, one_line, quote};

/// What a value was before it became text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Number,
    Text,
}

/// One key's final value.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    /// Where the value was assigned.
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// The value as skynet.getenv returns it.
    pub(super) text: Vec<u8>,
}

impl Assignment {
    /// The value as a message shows it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Text => quote(&self.text),
            Kind::Boolean | Kind::Number => String::from_utf8_lossy(&self.text).into_owned(),
        }
    }
}

/// All keys that a config and the files it includes assigned.
pub(super) type Assignments = BTreeMap<Vec<u8>, Assignment>;

/// Where each key got its present value.
pub(super) type Places = HashMap<Vec<u8>, Place>;

/// Reads the table of keys. The outer error is one of the Lua state, the inner one is the config's.
pub(super) fn collect(
    lua: &Lua,
    keys: &Table,
    mut places: Places,
) -> mlua::Result<Result<Assignments, ConfigError>> {
    let mut assignments = Assignments::new();
    for pair in keys.pairs::<LuaString, Value>() {
        let (key, value) = pair?;
        let key = key.as_bytes().to_vec();
        let place = places.remove(&key).unwrap_or_else(Place::unknown);
        let Some(kind) = kind(&value) else {
            let key = one_line(&String::from_utf8_lossy(&key));
            return Ok(Err(ConfigError::ValueType { place, key, found: type_name(&value) }));
        };
        let text = match value {
            Value::Boolean(yes) => yes.to_string().into_bytes(),
            // Lua's own text of a number: `8`, `8.0`, `1e+15`.
            other => {
                let text = lua.coerce_string(other)?;
                text.map(|text| text.as_bytes().to_vec()).unwrap_or_default()
            }
        };
        assignments.insert(key, Assignment { place, kind, text });
    }
    Ok(Ok(assignments))
}

/// What a value is, if it can become text.
fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Boolean(_) => Some(Kind::Boolean),
        Value::Integer(_) | Value::Number(_) => Some(Kind::Number),
        Value::String(_) => Some(Kind::Text),
        _ => None,
    }
}

/// The type of a value as Lua's `type` names it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        other => other.type_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, run_text};

    #[test]
    fn values_become_text_and_remember_what_they_were() {
        let shown =
            run_text("a = true\nb = false\nc = 8\nd = 16 / 2\ne = 1e15\nf = 'x\\0y'\ng = nil");
        let expected = "a=true@./config:1 b=false@./config:2 c=8@./config:3 d=8.0@./config:4 \
                        e=1e+15@./config:5 f=\"x\\0y\"@./config:6";
        assert_eq!(shown.unwrap(), expected);
    }

    #[test]
    fn tables_and_functions_are_no_values_but_may_be_used_on_the_way() {
        let message = run_text("a = 1\nlist = {}").unwrap_err();
        let expected = "config ./config:2: Invalid config table key = list (value is a table; \
                        expected a string, a number or a boolean)";
        assert_eq!(message, expected);
        assert!(
            run_text("function f() end").unwrap_err().contains("key = f (value is a function;")
        );
        let shown = run_text("t = {n = 7}\nfunction f() return t.n end\na = f()\nt, f = nil");
        assert_eq!(shown.unwrap(), "a=7@./config:3");
    }

    #[test]
    fn a_key_that_is_no_string_is_refused() {
        let message = run_text("\n_ENV[1] = 'x'").unwrap_err();
        let expected =
            "config ./config:2: Invalid config table (a key is a number; expected a string)";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_message_about_an_odd_key_is_one_line() {
        let message = run_text("_ENV['a\\nb'] = {}").unwrap_err();
        assert!(message.contains("table key = a b (value is a table;"), "{message}");
    }

    #[test]
    fn bytes_of_any_encoding_are_kept() {
        let config = load_text(b"-- \xd6\xd0\xce\xc4\nname = '\xd6\xd0\xce\xc4'\n");
        assert_eq!(config.unwrap().get("name"), Some(b"\xd6\xd0\xce\xc4".as_slice()));
    }
}
