//! The config file: skynet's Lua text, read once at the start.
//!
//! Invariants: `load` changes nothing and prints nothing; values are bytes, as they may be in any
//! encoding; every key, known or not, is in `Config::environment`, except a secret.
//! Not here: the policy file (`sandbox`), the exit status and printing (`boot.rs`).

mod assignment;
mod cluster;
mod discovery;
mod error;
mod evaluate;
mod keys;
mod link_security;
mod redis;
mod settings;
mod suggest;
mod text;
mod trace;
mod websocket;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::assignment::{Assignment, Assignments};
pub use self::cluster::ClusterKeys;
pub use self::error::{ConfigError, Place};
use self::keys::DefaultValue;
pub use self::link_security::{ClusterSecret, ClusterTls};
pub use self::redis::RedisKeys;
pub use self::settings::{SearchPath, Settings};
pub use self::websocket::WebSocketKeys;

/// A config that has been read and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file that was read, without those it includes.
    pub file: PathBuf,
    /// Every key and value as `skynet.getenv` returns them; `cluster_secret` is not for scripts.
    pub environment: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The keys that mean something to the node.
    pub settings: Settings,
    /// Lines for the log about what is odd but no error.
    pub warnings: Vec<String>,
}

impl Config {
    /// The value of `key` as `skynet.getenv` returns it.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.environment.get(key.as_bytes()).map(Vec::as_slice)
    }
}

/// Reads the config at `path`; `environment` looks up the variables that the text names as `$NAME`.
///
/// Blocks on file reads.
///
/// # Errors
///
/// When a file cannot be read, is no such Lua text, does not come to an end, or a known key has a
/// value that is of no use. The text form of the error is one line with file and line.
pub fn load(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let assignments = evaluate::evaluate(path, environment)?;
    let mut warnings = unknown_keys(&assignments);
    let settings = Settings::read(&assignments, &mut warnings)?;
    let written_back = keys::KEYS.iter().filter_map(|key| match key.default {
        DefaultValue::WrittenBack(value) => Some((key.name.into(), value.into())),
        DefaultValue::Silent(_) | DefaultValue::Absent => None,
    });
    let mut environment: BTreeMap<_, _> = written_back.collect();
    let seen = assignments.into_iter().filter(|(key, _)| key != link_security::SECRET.as_bytes());
    environment.extend(seen.map(|(key, assignment)| (key, assignment.text)));
    Ok(Config { file: path.to_owned(), environment, settings, warnings })
}

/// One warning for each key that looks like a slip, in the order of the files.
fn unknown_keys(assignments: &Assignments) -> Vec<String> {
    let is_set = |name: &str| assignments.contains_key(name.as_bytes());
    let unknown = assignments.iter().filter(|(key, _)| keys::find(key).is_none());
    let mut slips: Vec<_> = unknown
        .filter_map(|(key, assignment)| Some((assignment, key, suggest::nearest(key, is_set)?)))
        .collect();
    slips.sort_by_key(|(assignment, ..)| (&assignment.place.file, assignment.place.line));
    let warning = |(assignment, key, meant): (&Assignment, &Vec<u8>, &str)| {
        let (place, key) = (&assignment.place, error::one_line(&String::from_utf8_lossy(key)));
        format!("config {place}: unknown key '{key}' (did you mean '{meant}'?)")
    };
    slips.into_iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of config files that is removed at the end of a test.
    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("node-config-test-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        /// Adds or replaces a file.
        pub(super) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            self
        }

        pub(super) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        /// A message with `.` in place of the folder, as if the test ran in it.
        pub(super) fn shorten(&self, message: &str) -> String {
            message.replace(self.0.to_str().unwrap(), ".")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A folder left behind in the temporary folder does no harm.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Assigned keys as `key=value@file:line`, one blank between them.
    pub(super) fn run(folder: &Folder) -> Result<String, String> {
        let assignments = evaluate::evaluate(&folder.path("config"), &|_| None);
        let assignments = assignments.map_err(|error| folder.shorten(&error.to_string()))?;
        let shown = assignments.iter().map(|(key, found)| {
            let place = folder.shorten(&found.place.to_string());
            format!("{}={}@{place}", String::from_utf8_lossy(key), found.shown())
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    pub(super) fn run_text(text: &str) -> Result<String, String> {
        run(&Folder::new().with("config", text))
    }

    pub(super) fn load_text(text: impl AsRef<[u8]>) -> Result<Config, String> {
        let folder = Folder::new().with("config", text);
        let loaded = load(&folder.path("config"), &|_| None);
        loaded.map_err(|error| folder.shorten(&error.to_string()))
    }

    pub(super) fn load_warnings(text: &str) -> Vec<String> {
        let folder = Folder::new().with("config", text);
        let warnings = load(&folder.path("config"), &|_| None).unwrap().warnings;
        warnings.iter().map(|warning| folder.shorten(warning)).collect()
    }

    #[test]
    fn every_key_is_in_the_environment_and_so_are_the_defaults_that_skynet_writes_back() {
        let config = load_text("root = './'\nthread = 4\nprofile = false\nport = 8888").unwrap();
        let shown = config.environment.iter().map(|(key, value)| {
            format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value))
        });
        let expected = [
            "bootstrap=snlua bootstrap",
            "cpath=./cservice/?.so",
            "harbor=1",
            "logservice=logger",
            "port=8888",
            "profile=false",
            "root=./",
            "thread=4",
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert_eq!(config.get("port"), Some(b"8888".as_slice()));
        assert_eq!(config.get("start"), None);
    }

    #[test]
    fn a_config_as_games_write_it_loads_without_warnings() {
        let text = "#!/usr/bin/env node\nroot = '$ROOT/'\nthread = 8\nlogger = nil\n\
                    harbor = 0\nif $DAEMON then daemon = './skynet.pid' end\n\
                    luaservice = root..'service/?.lua;'..[[./test/?.lua;]]\nnodename = 'n'\n\
                    debug_port = 8000\nlog_level = 1\nserver_id = tostring or 5\n";
        let folder = Folder::new().with("config", text);
        let environment = |name: &str| match name {
            "ROOT" => Some("/srv/game".to_owned()),
            "DAEMON" => Some("true".to_owned()),
            _ => None,
        };
        let config = load(&folder.path("config"), &environment).unwrap();
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!(config.settings.daemon, Some("./skynet.pid".into()));
        let first = config.settings.luaservice.patterns().next();
        assert_eq!(first, Some(b"/srv/game/service/?.lua".as_slice()));
    }

    #[test]
    fn a_slip_in_a_key_is_a_warning_with_its_line() {
        let warnings = load_warnings("\nthraed = 4\nluaservce = './?.lua'\nroot = './'");
        let expected = [
            "config ./config:2: unknown key 'thraed' (did you mean 'thread'?)",
            "config ./config:3: unknown key 'luaservce' (did you mean 'luaservice'?)",
        ];
        assert_eq!(warnings, expected);
    }

    #[test]
    fn a_bad_value_in_an_included_file_is_named_with_that_file() {
        let folder = Folder::new()
            .with("config", "include 'etc/base'\nstart = 'main'")
            .with("etc/base", "-- threads\nthread = 0\n");
        let message = load(&folder.path("config"), &|_| None).unwrap_err().to_string();
        let expected = "config ./etc/base:2: thread = 0 (expected 1..=1024)";
        assert_eq!(folder.shorten(&message), expected);
    }

    #[test]
    fn a_relative_path_is_shown_from_the_working_folder() {
        for path in ["no-such-config", "./no-such-config"] {
            let message = load(Path::new(path), &|_| None).unwrap_err().to_string();
            assert!(message.starts_with("config ./no-such-config: cannot read"), "{message}");
        }
    }
}
