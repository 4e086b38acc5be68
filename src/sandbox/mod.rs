//! The policy file: what each service may see and use.
//!
//! Invariant: a policy is fixed once read, so that a service keeps what it started with.
//! Not here: enforcing it (`vm`, `bindings`), anything of Lua.

mod address;
mod file;
mod guard;
mod path;
mod pattern;
mod policy;
mod quantity;
mod value;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::address::{AddressRange, AddressRule, NoAddressRange};
pub use self::guard::{Access, Protected, Refusal, check};
pub use self::path::PathRule;
use self::pattern::Pattern;
pub use self::policy::{DebugAccess, NativeModules, Policy};

/// The policy file that is read when the config names none; it may be missing.
pub const DEFAULT_FILE: &str = "./sandbox.toml";

/// The policies of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    services: usize,
    default: Arc<Policy>,
    /// The more specific pattern first.
    overrides: Vec<(Pattern, Arc<Policy>)>,
}

/// Why a policy file cannot be used. The text form is one line.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The file cannot be read.
    #[error("sandbox {file}: cannot read the file: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system said.
        #[source]
        why: io::Error,
    },

    /// The file is no TOML, or has a key that means nothing.
    #[error("sandbox {file}:{line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there and what is allowed.
        message: String,
    },

    /// The value of a key is of no use.
    #[error("sandbox {file}:{line}: {key} = {value} (expected {expected})")]
    Value {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// The value as the file writes it.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}

impl Sandbox {
    /// Reads the file that the config names, or else `DEFAULT_FILE`, which may be missing.
    ///
    /// # Errors
    ///
    /// As `load`, except for a missing default file.
    pub fn open(named: Option<&Path>) -> Result<Self, SandboxError> {
        match named {
            Some(path) => Self::load(path),
            None => Self::load_if_present(Path::new(DEFAULT_FILE)),
        }
    }

    /// Reads the policy file at `path`. Blocks on the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no TOML, or has an unknown key or a value of no use.
    pub fn load(path: &Path) -> Result<Self, SandboxError> {
        let file = path.to_string_lossy();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(why) => Err(SandboxError::Unreadable { file: file.into_owned(), why }),
        }
    }

    /// The policies that hold without a file.
    pub fn builtin() -> Self {
        let default = Arc::new(Policy::default());
        Self { services: policy::SERVICES, default, overrides: Vec::new() }
    }

    /// The policy of the service that is called `service_name`.
    ///
    /// Of the patterns that match, the most specific one counts: the one with the most characters
    /// besides `*`, then the one with fewer `*`, then the first in the alphabet. It alone changes
    /// the default; other patterns that match change nothing.
    pub fn policy_for(&self, service_name: &str) -> Arc<Policy> {
        let matching = self.overrides.iter().find(|(pattern, _)| pattern.matches(service_name));
        Arc::clone(matching.map_or(&self.default, |(_, policy)| policy))
    }

    /// How many services the node may have at a time.
    pub fn services(&self) -> usize {
        self.services
    }

    fn load_if_present(path: &Path) -> Result<Self, SandboxError> {
        match Self::load(path) {
            Err(SandboxError::Unreadable { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
                Ok(Self::builtin())
            }
            result => result,
        }
    }

    fn parse(text: &str, name: &str) -> Result<Self, SandboxError> {
        let file = file::parse(text, name)?;
        let overrides = file.overrides.into_iter();
        let mut overrides: Vec<_> =
            overrides.map(|(pattern, policy)| (Pattern::new(pattern), Arc::new(policy))).collect();
        overrides.sort_by(|(left, _), (right, _)| left.by_precedence(right));
        Ok(Self { services: file.services, default: Arc::new(file.default), overrides })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Sandbox {
        Sandbox::parse(text, "./sandbox.toml").unwrap()
    }

    #[test]
    fn the_file_in_the_repository_says_what_holds_without_a_file() {
        assert_eq!(parse(include_str!("../../sandbox.toml")), Sandbox::builtin());
    }

    #[test]
    fn the_file_in_the_repository_names_every_key() {
        let text = include_str!("../../sandbox.toml");
        let unknown = Sandbox::parse("[default]\nx = 1", "").unwrap_err().to_string();
        let keys: Vec<&str> = unknown.split('`').skip(1).step_by(2).skip(1).collect();
        assert_eq!(keys.len(), 15, "{unknown}");
        for key in keys {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
    }

    #[test]
    fn the_most_specific_pattern_gives_the_policy() {
        let sandbox = parse(
            "[default]\ntimers = 1\n[service.\"*\"]\ntimers = 2\n[service.\"agent*\"]\ntimers = 3\n\
             [service.agent]\ntimers = 4\n[service.\"agent/vip*\"]\ntimers = 5\n",
        );
        let timers = |name: &str| sandbox.policy_for(name).timers;
        assert_eq!(timers("gate"), Some(2));
        assert_eq!(timers("agents"), Some(3));
        assert_eq!(timers("agent"), Some(4));
        assert_eq!(timers("agent/vip7"), Some(5));
    }

    #[test]
    fn a_pattern_changes_the_default_and_not_another_pattern() {
        let sandbox = parse(
            "[default]\nprocess = true\n[service.\"a*\"]\nsockets = 1\n\
             [service.\"ab*\"]\ntimers = 1\n",
        );
        let policy = sandbox.policy_for("abc");
        let expected = Policy { process: true, timers: Some(1), ..Policy::default() };
        assert_eq!(*policy, expected);
        assert_eq!(sandbox.policy_for("other").timers, Policy::default().timers);
    }

    #[test]
    fn services_of_one_policy_share_it() {
        let sandbox = parse("[service.\"a*\"]\nsockets = 1\n");
        assert!(Arc::ptr_eq(&sandbox.policy_for("a1"), &sandbox.policy_for("a2")));
        assert!(Arc::ptr_eq(&sandbox.policy_for("b1"), &sandbox.policy_for("b2")));
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let missing = Path::new("/nonexistent/sandbox.toml");
        assert_eq!(Sandbox::load_if_present(missing).unwrap(), Sandbox::builtin());
        let message = Sandbox::open(Some(missing)).unwrap_err().to_string();
        let expected = "sandbox /nonexistent/sandbox.toml: cannot read the file: No such file";
        assert!(message.starts_with(expected), "{message}");
    }
}
