//! The policy file: TOML in, policies out.
//!
//! Invariant: nothing in the file goes unread. An unknown key or a value of no use is an error
//! that names file, line, key and what is allowed.
//! Not here: what a single value may be (`value.rs`), which policy a service gets (`mod.rs`).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::SandboxError;
use super::policy::{Policy, SERVICES};
use super::value;

/// Longest value that a message shows, in characters.
const SHOWN_LENGTH: usize = 80;

/// A policy file that has been read.
pub(super) struct PolicyFile {
    pub(super) services: usize,
    pub(super) default: Policy,
    /// Pattern and policy, in the order of the alphabet.
    pub(super) overrides: Vec<(String, Policy)>,
}

/// A value with its place in the text; its type is checked where the key is known.
type Field = Option<Spanned<Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    node: RawNode,
    #[serde(default)]
    default: RawPolicy,
    #[serde(default)]
    service: BTreeMap<String, RawPolicy>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawNode {
    services: Field,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    memory: Field,
    message_time: Field,
    mailbox: Field,
    coroutines: Field,
    timers: Field,
    sockets: Field,
    read: Field,
    write: Field,
    connect: Field,
    listen: Field,
    process: Field,
    exit: Field,
    bytecode: Field,
    native_modules: Field,
    debug: Field,
}

/// Reads the text of a policy file; `name` is the file's name for messages.
pub(super) fn parse(text: &str, name: &str) -> Result<PolicyFile, SandboxError> {
    let source = Source { text, name };
    let raw: RawFile = toml::from_str(text).map_err(|error| source.syntax(&error))?;
    let mut services = SERVICES;
    source.read("services", raw.node.services, &mut services, value::services)?;
    let default = source.policy(raw.default, &Policy::default())?;
    let overrides = raw.service.into_iter();
    let overrides = overrides.map(|(pattern, raw)| Ok((pattern, source.policy(raw, &default)?)));
    let overrides = overrides.collect::<Result<_, SandboxError>>()?;
    Ok(PolicyFile { services, default, overrides })
}

/// The text under its name, to point into it.
struct Source<'a> {
    text: &'a str,
    name: &'a str,
}

impl Source<'_> {
    /// The policy that changes `base` where `raw` says so.
    fn policy(&self, raw: RawPolicy, base: &Policy) -> Result<Policy, SandboxError> {
        let mut policy = base.clone();
        self.read("memory", raw.memory, &mut policy.memory, value::memory)?;
        self.read("message_time", raw.message_time, &mut policy.message_time, value::time)?;
        self.read("mailbox", raw.mailbox, &mut policy.mailbox, value::count_from_1)?;
        self.read("coroutines", raw.coroutines, &mut policy.coroutines, value::count_from_1)?;
        self.read("timers", raw.timers, &mut policy.timers, value::count)?;
        self.read("sockets", raw.sockets, &mut policy.sockets, value::count)?;
        self.read("read", raw.read, &mut policy.read, value::folders)?;
        self.read("write", raw.write, &mut policy.write, value::folders)?;
        self.read("connect", raw.connect, &mut policy.connect, value::addresses)?;
        self.read("listen", raw.listen, &mut policy.listen, value::addresses)?;
        self.read("process", raw.process, &mut policy.process, value::switch)?;
        self.read("exit", raw.exit, &mut policy.exit, value::switch)?;
        self.read("bytecode", raw.bytecode, &mut policy.bytecode, value::switch)?;
        self.read("native_modules", raw.native_modules, &mut policy.native_modules, value::native)?;
        self.read("debug", raw.debug, &mut policy.debug, value::debug)?;
        Ok(policy)
    }

    /// Reads the value of `key` into `target` if the file gives one.
    fn read<T>(
        &self,
        key: &'static str,
        field: Field,
        target: &mut T,
        read: fn(&Value) -> Result<T, &'static str>,
    ) -> Result<(), SandboxError> {
        let Some(field) = field else {
            return Ok(());
        };
        let span = field.span();
        *target = read(field.get_ref()).map_err(|expected| {
            let value = shown(self.text.get(span.clone()).unwrap_or_default());
            let (file, line) = (self.name.to_owned(), self.line(span.start));
            SandboxError::Value { file, line, key, value, expected }
        })?;
        Ok(())
    }

    fn syntax(&self, error: &toml::de::Error) -> SandboxError {
        let line = self.line(error.span().map_or(0, |span| span.start));
        SandboxError::Syntax {
            file: self.name.to_owned(),
            line,
            message: one_line(error.message()),
        }
    }

    /// The line of a byte of the text, counted from 1.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|&&byte| byte == b'\n').count()
    }
}

/// Whatever breaks a line becomes a blank.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A value as a message shows it: one line, cut short.
fn shown(value: &str) -> String {
    let mut line: String = one_line(value).chars().take(SHOWN_LENGTH).collect();
    if line.len() < value.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::address::AddressRule;
    use super::super::path::PathRule;
    use super::super::policy::{DebugAccess, NativeModules};
    use super::*;

    fn message(text: &str) -> String {
        parse(text, "./sandbox.toml").map(|_| "fine").unwrap_err().to_string()
    }

    /// The default policy of a file that has `line` in it.
    fn default(line: &str) -> Policy {
        parse(&format!("[default]\n{line}\n"), "./sandbox.toml").unwrap().default
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let file = parse("", "./sandbox.toml").unwrap();
        assert_eq!((file.services, file.default), (SERVICES, Policy::default()));
        assert!(file.overrides.is_empty());
    }

    #[test]
    fn limits_are_numbers_amounts_or_none() {
        assert_eq!(default("memory = '64MiB'").memory, Some(64 << 20));
        assert_eq!(default("memory = 1_048_576").memory, Some(1 << 20));
        assert_eq!(default("memory = 'unlimited'").memory, None);
        assert_eq!(
            default("message_time = '100ms'").message_time,
            Some(Duration::from_millis(100))
        );
        assert_eq!(default("message_time = 'off'").message_time, None);
        assert_eq!(default("mailbox = 10").mailbox, Some(10));
        assert_eq!(default("coroutines = 'unlimited'").coroutines, None);
        assert_eq!(default("sockets = 0").sockets, Some(0));
        assert_eq!(parse("node.services = 5", "").unwrap().services, 5);
    }

    #[test]
    fn rules_are_lists_or_any() {
        let folders = PathRule::Within(vec!["data".into(), "/tmp".into()]);
        assert_eq!(default("read = ['data', '/tmp']").read, folders);
        assert_eq!(default("write = 'any'").write, PathRule::Any);
        assert_eq!(default("write = []").write, PathRule::Within(Vec::new()));
        let addresses = AddressRule::Only(vec!["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(default("connect = ['127.0.0.1:80']").connect, addresses);
        assert_eq!(default("listen = 'any'").listen, AddressRule::Any);
    }

    #[test]
    fn switches_and_words_are_read() {
        assert!(default("process = true").process);
        assert!(default("exit = true").exit);
        assert!(default("bytecode = true").bytecode);
        assert_eq!(default("native_modules = false").native_modules, NativeModules::Refused);
        assert_eq!(default("debug = 'none'").debug, DebugAccess::Absent);
    }

    #[test]
    fn an_override_changes_the_default_of_its_own_file() {
        let text = "[service.\"agent*\"]\ntimers = 5\n[default]\nsockets = 1\n";
        let file = parse(text, "./sandbox.toml").unwrap();
        let agent = Policy { timers: Some(5), ..file.default.clone() };
        assert_eq!(file.overrides, [("agent*".to_owned(), agent)]);
        assert_eq!(file.default.sockets, Some(1));
    }

    #[test]
    fn a_value_of_no_use_is_named_with_its_line_and_what_is_allowed() {
        let memory = "bytes such as \"64MiB\", \"2GiB\" or 1048576, at least \"256KiB\", \
                      or \"unlimited\"";
        let time = "a time such as \"100ms\", \"5s\" or \"2min\", or \"off\"";
        let folders = "a list of folders such as [\".\", \"/tmp\"], or \"any\"";
        for (line, expected) in [
            ("memory = \"2GB\"", memory),
            ("memory = 100", memory),
            ("memory = -1", memory),
            ("message_time = 5", time),
            ("message_time = \"0s\"", time),
            ("mailbox = 0", "a number from 1, or \"unlimited\""),
            ("coroutines = 1.5", "a number from 1, or \"unlimited\""),
            ("timers = -1", "a number from 0, or \"unlimited\""),
            ("sockets = \"many\"", "a number from 0, or \"unlimited\""),
            ("read = \"/tmp\"", folders),
            ("write = [\"\"]", folders),
            ("write = [1]", folders),
            ("process = \"yes\"", "true or false"),
            ("exit = 1", "true or false"),
            ("bytecode = []", "true or false"),
            ("native_modules = \"yes\"", "\"auto\", true or false"),
            ("debug = true", "\"safe\", \"full\" or \"none\""),
        ] {
            let text = format!("# comment\n[default]\nprocess = false\n{line}\n");
            let text = text.replace("process = false\nprocess", "exit = false\nprocess");
            let expected = format!("sandbox ./sandbox.toml:4: {line} (expected {expected})");
            assert_eq!(message(&text), expected);
        }
        let text = "[service.\"a*\"]\n\nconnect = [\"localhost:80\"]";
        let expected =
            "sandbox ./sandbox.toml:3: connect = [\"localhost:80\"] (expected a list of ";
        assert!(message(text).starts_with(expected), "{}", message(text));
        assert_eq!(
            message("[node]\nservices = 0"),
            "sandbox ./sandbox.toml:2: services = 0 (expected a number, 1..=16777215)"
        );
    }

    #[test]
    fn a_value_over_several_lines_is_shown_on_one() {
        let message = message("[default]\nread = [\n  1,\n]\n");
        assert!(message.contains(":2: read = [   1, ] (expected a list"), "{message}");
        let message = self::message(&format!("[default]\ndebug = '{}'\n", "x".repeat(1000)));
        assert!(message.contains("xxx… (expected \"safe\""), "{message}");
    }

    #[test]
    fn unknown_keys_are_errors_that_name_the_known_ones() {
        let shown = message("[default]\n\nmemroy = 1\n");
        let expected =
            "sandbox ./sandbox.toml:3: unknown field `memroy`, expected one of `memory`,";
        assert!(shown.starts_with(expected), "{shown}");
        let shown = message("[service.a]\nx = 1\n");
        assert!(shown.starts_with("sandbox ./sandbox.toml:2: unknown field `x`"), "{shown}");
        let shown = message("\n[services.a]\n");
        let expected = "sandbox ./sandbox.toml:2: unknown field `services`, expected one of `node`";
        assert!(shown.starts_with(expected), "{shown}");
        let shown = message("[node]\nservice = 1");
        assert!(shown.starts_with("sandbox ./sandbox.toml:2: unknown field `service`"), "{shown}");
    }

    #[test]
    fn text_that_is_no_toml_is_named_with_its_line() {
        for text in ["[default]\nmemory = \n", "[default]\nmemory 5\n", "\n[default\n"] {
            let shown = message(text);
            assert!(shown.starts_with("sandbox ./sandbox.toml:2: "), "{shown}");
            assert!(!shown.contains('\n'), "{shown}");
        }
        let shown = message("[default]\nexit = true\nexit = true\n");
        assert!(shown.starts_with("sandbox ./sandbox.toml:3: duplicate key"), "{shown}");
    }
}
