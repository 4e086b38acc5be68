//! Finds file and line behind what Lua says, and carries our errors past it.
//!
//! Invariant: a place shows the whole name of a file. Lua shortens long names and knows only text
//! without NUL, so that in Lua each file is called by a number.
//! Not here: when Lua is asked (`evaluate.rs`).

use std::cell::RefCell;

use mlua::debug::Debug;

use super::error::{ConfigError, Place};

/// The names of the files run so far, and the error under way.
#[derive(Default)]
pub(super) struct Trace {
    /// Each file as messages show it. Its index is its name in Lua.
    files: RefCell<Vec<String>>,
    /// The error behind a Lua error that one of our functions raised.
    failure: RefCell<Option<ConfigError>>,
}

impl Trace {
    /// Takes in a file and gives the name it has to have in Lua.
    pub(super) fn chunk_name(&self, file: &str) -> String {
        let mut files = self.files.borrow_mut();
        files.push(file.to_owned());
        format!("={}", files.len() - 1)
    }

    /// The error that was raised, if one was.
    pub(super) fn take_failure(&self) -> Option<ConfigError> {
        self.failure.take()
    }

    /// Keeps `error` and gives a Lua error that stops the config in its place.
    pub(super) fn raise(&self, error: ConfigError) -> mlua::Error {
        let raised = mlua::Error::runtime(&error);
        self.failure.replace(Some(error));
        raised
    }

    /// The line that a function is at; `None` for a native one.
    pub(super) fn place(&self, function: &Debug<'_>) -> Option<Place> {
        let source = function.source().source?;
        Some(Place::new(self.file(source.strip_prefix('=')?)?, function.current_line()?))
    }

    /// Splits a message that starts with file and line, as most of Lua's do.
    pub(super) fn split(&self, message: &str) -> Option<(Place, String)> {
        let (index, rest) = message.split_once(':')?;
        let (line, text) = rest.split_once(": ")?;
        Some((Place::new(self.file(index)?, line.parse().ok()?), text.to_owned()))
    }

    fn file(&self, index: &str) -> Option<String> {
        self.files.borrow().get(index.parse::<usize>().ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_lua_is_split_into_place_and_text() {
        let trace = Trace::default();
        assert_eq!(trace.chunk_name("./config"), "=0");
        assert_eq!(trace.chunk_name("./a:b"), "=1");
        let (place, text) = trace.split("1:12: unexpected symbol near ':'").unwrap();
        assert_eq!(
            (place.to_string().as_str(), text.as_str()),
            ("./a:b:12", "unexpected symbol near ':'")
        );
        assert_eq!(trace.split("2:1: no such file"), None);
        assert_eq!(trace.split("not enough memory"), None);
    }
}
