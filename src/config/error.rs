//! Why a config could not be used, always as one line for a person.
//!
//! Invariant: a message names the file and, wherever a line is known, the line.
//! Not here: warnings (`suggest.rs`), the exit status (`main.rs`).

use std::fmt;
use std::io;

/// Longest part of a value that a message quotes, in characters, so that a message stays one
/// readable line even when a whole file ended up in a string.
const QUOTE_LENGTH: usize = 80;

/// One line of one config file; its text form is `./config:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was opened, relative paths with a leading `./`.
    pub file: String,
    /// The line, counted from 1; 0 when only the file is known.
    pub line: usize,
}

impl Place {
    pub(super) fn new(file: impl Into<String>, line: usize) -> Self {
        Self { file: file.into(), line }
    }

    /// For what does not come from a line of a file.
    pub(super) fn unknown() -> Self {
        Self::new("(unknown)", 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.file),
            line => write!(formatter, "{}:{line}", self.file),
        }
    }
}

/// Why a config cannot be used. The text form is one line and starts with `config <place>: `.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The config file itself cannot be read.
    #[error("config {place}: cannot read the file: {why}")]
    Unreadable {
        /// The file, without a line.
        place: Place,
        /// What the operating system said.
        #[source]
        why: io::Error,
    },

    /// A file named by `include` cannot be read.
    #[error("config {place}: include {name}: cannot read {file}: {why}")]
    UnreadableInclude {
        /// The `include`.
        place: Place,
        /// Its argument, quoted.
        name: String,
        /// The file it led to.
        file: String,
        /// What the operating system said.
        #[source]
        why: io::Error,
    },

    /// A file includes itself, through others or directly.
    #[error("config {place}: include goes round in a circle: {}", chain.join(" -> "))]
    IncludeCycle {
        /// The `include` that closes the circle.
        place: Place,
        /// The files on the way, first and last are the same one.
        chain: Vec<String>,
    },

    /// Includes are nested deeper than `INCLUDE_DEPTH`.
    #[error("config {place}: include is nested too deep (limit {limit} files)")]
    IncludeDepth {
        /// The `include` that is one too many.
        place: Place,
        /// The limit, in files.
        limit: usize,
    },

    /// `include` was called with something other than a file name.
    #[error("config {place}: bad argument #1 to 'include' (string expected, got {found})")]
    IncludeArgument {
        /// The call.
        place: Place,
        /// The Lua type that was given.
        found: &'static str,
    },

    /// A `$NAME` in the text names an environment variable that is not set.
    #[error("config {place}: os.getenv() failed: {name} (environment variable is not set)")]
    UnsetVariable {
        /// Where the text says `$NAME`.
        place: Place,
        /// The name without the `$`.
        name: String,
    },

    /// Lua refused the text or failed while running it.
    #[error("config {place}: {message}")]
    Lua {
        /// Where, as far as Lua knows.
        place: Place,
        /// What Lua said.
        message: String,
    },

    /// The config did not come to an end.
    #[error("config {place}: stopped after {limit} Lua instructions (endless loop?)")]
    Endless {
        /// The line that was running.
        place: Place,
        /// The limit, in instructions of the Lua machine.
        limit: u32,
    },

    /// The config wanted more memory than a config may have.
    #[error("config {place}: needs more memory than a config may use (limit {limit} bytes)")]
    Memory {
        /// The file that was running.
        place: Place,
        /// The limit, in bytes.
        limit: usize,
    },

    /// A key of the config's table is not a string.
    #[error("config {place}: Invalid config table (a key is a {found}; expected a string)")]
    KeyType {
        /// The assignment.
        place: Place,
        /// The Lua type of the key.
        found: &'static str,
    },

    /// A value cannot be written as text.
    #[error(
        "config {place}: Invalid config table key = {key} (value is a {found}; \
         expected a string, a number or a boolean)"
    )]
    ValueType {
        /// The assignment.
        place: Place,
        /// The key.
        key: String,
        /// The Lua type of the value.
        found: &'static str,
    },

    /// The value of a known key is of no use.
    #[error("config {place}: {key} = {value} (expected {expected})")]
    Value {
        /// The assignment.
        place: Place,
        /// The key.
        key: String,
        /// The value, quoted if the config gave it as a string.
        value: String,
        /// What would be of use.
        expected: String,
    },
}

/// Writes bytes of a config as one printable line, quoted like a Lua string.
pub(super) fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text.chars().take(QUOTE_LENGTH).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Writes text as one line: whatever breaks a line becomes a blank.
pub(super) fn one_line(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_line_is_the_file_alone() {
        assert_eq!(Place::new("./config", 12).to_string(), "./config:12");
        assert_eq!(Place::new("./config", 0).to_string(), "./config");
    }

    #[test]
    fn a_quoted_value_stays_one_short_line() {
        assert_eq!(quote(b"a\nb\"c"), r#""a\nb\"c""#);
        assert_eq!(quote("中文".as_bytes()), "\"中文\"");
        assert_eq!(quote(b"\xd6\xd0"), "\"\u{fffd}\u{fffd}\"");
        assert_eq!(quote(&[b'x'; 1000]).chars().count(), QUOTE_LENGTH + 3);
    }
}
