//! The keys with a meaning, read from their text into types.
//!
//! Invariant: whoever holds a `Settings` checks nothing again.
//! Not here: keys that only Lua code reads (`snax_loader`; through `skynet.getenv`).

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::assignment::{Assignment, Assignments, Kind};
use super::cluster::ClusterKeys;
use super::error::{ConfigError, Place};
use super::keys::{self, DefaultValue};
use super::redis::RedisKeys;
use super::websocket::WebSocketKeys;

/// Worker threads that a node may have; skynet's own limits.
const THREADS: RangeInclusive<u64> = 1..=1024;

/// MiB that may wait to be sent on one socket: from what a warning needs to what fits no machine.
const SEND_LIMIT: RangeInclusive<u64> = 2..=1 << 20;

/// MiB of shared tables: from one small one to what fits no machine.
const SHARED: RangeInclusive<u64> = 1..=1 << 20;

/// MiB of a reply of Redis: up to what a Lua string can be here.
const REDIS_REPLY: RangeInclusive<u64> = 1..=1 << 20;

/// Node ids: the top eight bits of an address.
const HARBORS: RangeInclusive<u64> = 0..=255;

/// Seconds for the handshake of TLS: one tick to one hour.
const TLS_HANDSHAKE: RangeInclusive<f64> = 0.01..=3_600.0;

/// Seconds that an orderly stop may be given: nothing to one day.
const STOP_DEADLINE: RangeInclusive<f64> = 0.0..=86_400.0;

/// Seconds after which a message may be called endless: one tick to one day.
const ENDLESS_WARNING: RangeInclusive<f64> = 0.01..=86_400.0;

/// What the config says to the node itself. Paths are as written, relative to the working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Number of worker threads.
    pub thread: usize,
    /// Whether small writes on TCP go out at once.
    pub tcp_nodelay: bool,
    /// Bytes that all shared tables of the node may take together.
    pub shared_limit: usize,
    /// Bytes that may wait to be sent on one socket.
    pub socket_send_limit: usize,
    /// Bytes of a reply of Redis.
    pub redis_reply_limit: usize,
    /// Id of this node, placed in the top eight bits of its addresses; 0 is a node on its own.
    pub harbor: u8,
    /// First service: the kind of service, then its arguments.
    pub bootstrap: String,
    /// File for the process id; present means: run in the background.
    pub daemon: Option<PathBuf>,
    /// Argument of the log service; for the ordinary one the log file, absent is standard output.
    pub logger: Option<OsString>,
    /// Kind of the log service.
    pub logservice: String,
    /// Whether services count their processor time.
    pub profile: bool,
    /// Where the files of services are.
    pub luaservice: SearchPath,
    /// Lua file that starts each service.
    pub lualoader: PathBuf,
    /// `package.path` of each service.
    pub lua_path: SearchPath,
    /// `package.cpath` of each service.
    pub lua_cpath: SearchPath,
    /// Whether the config itself names `lua_cpath`; a sandbox may depend on it.
    pub lua_cpath_named: bool,
    /// Lua file that each service runs before its own.
    pub preload: Option<PathBuf>,
    /// Whether scripts have what Lua 5.1 had.
    pub compat51: bool,
    /// The service that bootstrap launches last, with its arguments.
    pub start: String,
    /// Where the files of snax services are.
    pub snax: Option<SearchPath>,
    /// Folder of the message logs of single services.
    pub logpath: Option<PathBuf>,
    /// File with the addresses of the cluster's nodes.
    pub cluster: Option<PathBuf>,
    /// More about the cluster.
    pub cluster_keys: ClusterKeys,
    /// The embedded store, if one is wanted.
    pub redis_keys: Option<RedisKeys>,
    /// WebSocket connections.
    pub websocket_keys: WebSocketKeys,
    /// Address at which this node serves as master.
    pub standalone: Option<String>,
    /// Address of the master to connect to.
    pub master: Option<String>,
    /// Address at which this node listens for other harbors.
    pub address: Option<String>,
    /// PEM file of the certificate that servers show.
    pub certfile: Option<PathBuf>,
    /// PEM file of its key.
    pub keyfile: Option<PathBuf>,
    /// PEM file of those whose certificates are trusted. Absent: the authorities of the system.
    pub tls_ca: Option<PathBuf>,
    /// How long the handshake of TLS on a socket may take.
    pub tls_handshake_timeout: Duration,
    /// Whether the certificates of servers are judged.
    pub tls_verify: bool,
    /// Policy file that the config names. Absent: the default file if there is one.
    pub sandbox: Option<PathBuf>,
    /// How long services may take to end when the process is asked to stop.
    pub stop_deadline: Duration,
    /// How long one message may run before the log warns of an endless loop.
    pub endless_warning: Duration,
}

/// A list of file patterns such as `./service/?.lua;./service/?/init.lua`, in any encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath(Vec<u8>);

impl SearchPath {
    /// The list as the config writes it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The patterns in order; an empty one, as behind a last `;`, is left out.
    pub fn patterns(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b';').filter(|pattern| !pattern.is_empty())
    }
}

impl Settings {
    /// Reads all keys with a meaning; adds to `warnings` what is odd but no error.
    pub(super) fn read(
        assignments: &Assignments,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let reader = Reader { assignments };
        let settings = Self {
            thread: reader.integer("thread", &THREADS)?,
            tcp_nodelay: reader.boolean("tcp_nodelay")?,
            shared_limit: reader.integer::<usize>("shared_limit", &SHARED)? << 20,
            socket_send_limit: reader.integer::<usize>("socket_send_limit", &SEND_LIMIT)? << 20,
            redis_reply_limit: reader.integer::<usize>("redis_reply_limit", &REDIS_REPLY)? << 20,
            harbor: reader.integer("harbor", &HARBORS)?,
            bootstrap: reader.words("bootstrap")?,
            daemon: reader.path("daemon"),
            logger: reader.optional("logger").map(OsString::from_vec),
            logservice: reader.words("logservice")?,
            profile: reader.boolean("profile")?,
            luaservice: SearchPath(reader.bytes("luaservice")),
            lualoader: OsString::from_vec(reader.bytes("lualoader")).into(),
            lua_path: SearchPath(reader.bytes("lua_path")),
            lua_cpath: SearchPath(reader.bytes("lua_cpath")),
            lua_cpath_named: reader.optional("lua_cpath").is_some(),
            preload: reader.path("preload"),
            compat51: reader.boolean("compat51")?,
            start: reader.words("start")?,
            snax: reader.optional("snax").map(SearchPath),
            logpath: reader.path("logpath"),
            cluster: reader.path("cluster"),
            cluster_keys: ClusterKeys::read(&reader)?,
            redis_keys: RedisKeys::read(&reader)?,
            websocket_keys: WebSocketKeys::read(&reader)?,
            standalone: reader.text("standalone")?,
            master: reader.text("master")?,
            address: reader.text("address")?,
            certfile: reader.path("certfile"),
            keyfile: reader.path("keyfile"),
            tls_ca: reader.path("tls_ca"),
            tls_handshake_timeout: reader.seconds("tls_handshake_timeout", &TLS_HANDSHAKE)?,
            tls_verify: reader.boolean("tls_verify")?,
            sandbox: reader.sandbox(warnings),
            stop_deadline: reader.seconds("stop_deadline", &STOP_DEADLINE)?,
            endless_warning: reader.seconds("endless_warning", &ENDLESS_WARNING)?,
        };
        if settings.harbor == 0 && settings.standalone.is_some() {
            return Err(reader.refuse("standalone", "no value, since harbor = 0 has no master"));
        }
        Ok(settings)
    }
}

pub(super) struct Reader<'a> {
    assignments: &'a Assignments,
}

impl Reader<'_> {
    pub(super) fn assigned(&self, key: &str) -> Option<&Assignment> {
        self.assignments.get(key.as_bytes())
    }

    /// The value of `key` or its default, as text.
    fn bytes(&self, key: &str) -> Vec<u8> {
        let default = || match keys::find(key.as_bytes()).map(|key| key.default) {
            Some(DefaultValue::Silent(value) | DefaultValue::WrittenBack(value)) => value.into(),
            Some(DefaultValue::Absent) | None => Vec::new(),
        };
        self.assigned(key).map_or_else(default, |assignment| assignment.text.clone())
    }

    /// The value of `key` if the config gives one; an empty text and `false` say "none".
    fn optional(&self, key: &str) -> Option<Vec<u8>> {
        let assignment = self.assigned(key)?;
        let none = assignment.kind == Kind::Boolean && assignment.text == b"false";
        (!none && !assignment.text.is_empty()).then(|| assignment.text.clone())
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        Some(OsString::from_vec(self.optional(key)?).into())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let text = self.optional(key).map(String::from_utf8).transpose();
        text.map_err(|_| self.refuse(key, "UTF-8 text"))
    }

    /// A service with arguments, at least one word.
    fn words(&self, key: &str) -> Result<String, ConfigError> {
        let text = String::from_utf8(self.bytes(key)).unwrap_or_default();
        if text.trim().is_empty() {
            return Err(self.refuse(key, "the name of a service in UTF-8"));
        }
        Ok(text)
    }

    pub(super) fn boolean(&self, key: &str) -> Result<bool, ConfigError> {
        match self.bytes(key).as_slice() {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(self.refuse(key, "true or false")),
        }
    }

    pub(super) fn integer<T>(
        &self,
        key: &str,
        range: &RangeInclusive<u64>,
    ) -> Result<T, ConfigError>
    where
        T: TryFrom<u64>,
    {
        let bytes = self.bytes(key);
        let text = str::from_utf8(&bytes).unwrap_or_default().trim();
        // Lua writes the result of a division as `8.0`.
        let number = text.strip_suffix(".0").unwrap_or(text).parse().ok();
        let number = number.filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| self.refuse(key, &format!("{}..={}", range.start(), range.end())))
    }

    pub(super) fn seconds(
        &self,
        key: &str,
        range: &RangeInclusive<f64>,
    ) -> Result<Duration, ConfigError> {
        let bytes = self.bytes(key);
        let number = str::from_utf8(&bytes).unwrap_or_default().trim().parse().ok();
        // A range contains neither infinity nor "not a number".
        let number = number.filter(|number| range.contains(number));
        let expected = || format!("seconds, {}..={}", range.start(), range.end());
        number.map(Duration::from_secs_f64).ok_or_else(|| self.refuse(key, &expected()))
    }

    /// The policy file, if the value can be one: games have a `sandbox = true` of their own, for
    /// the test side of a payment service.
    fn sandbox(&self, warnings: &mut Vec<String>) -> Option<PathBuf> {
        let path = self.path("sandbox");
        let assignment = self.assigned("sandbox")?;
        let text = str::from_utf8(&assignment.text).unwrap_or_default();
        let is_switch = matches!(text, "true" | "false") || text.parse::<f64>().is_ok();
        if is_switch || path.is_none() {
            warnings.push(format!(
                "config {}: sandbox = {} names no policy file and is left to the game \
                 (expected a path such as \"./sandbox.toml\")",
                assignment.place,
                assignment.shown()
            ));
            return None;
        }
        path
    }

    pub(super) fn refuse(&self, key: &str, expected: &str) -> ConfigError {
        let (key, expected) = (key.to_owned(), expected.to_owned());
        match self.assigned(&key) {
            Some(assignment) => {
                let place = assignment.place.clone();
                ConfigError::Value { place, value: assignment.shown(), key, expected }
            }
            // Only a wrong entry in `KEYS` leads here; a test loads a config without keys.
            None => {
                let place = Place::unknown();
                let value = String::from_utf8_lossy(&self.bytes(&key)).into_owned();
                ConfigError::Value { place, value, key, expected }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, load_warnings};
    use super::*;

    fn settings(text: &str) -> Settings {
        load_text(text).unwrap().settings
    }

    #[test]
    fn an_empty_config_gives_the_defaults() {
        let settings = settings("");
        let expected = Settings {
            thread: 8,
            tcp_nodelay: true,
            shared_limit: 8192 << 20,
            socket_send_limit: 64 << 20,
            redis_reply_limit: 512 << 20,
            harbor: 1,
            bootstrap: "snlua bootstrap".to_owned(),
            daemon: None,
            logger: None,
            logservice: "logger".to_owned(),
            profile: true,
            luaservice: SearchPath(b"./service/?.lua".to_vec()),
            lualoader: "./lualib/loader.lua".into(),
            lua_path: SearchPath(b"./lualib/?.lua;./lualib/?/init.lua".to_vec()),
            lua_cpath: SearchPath(b"./luaclib/?.so".to_vec()),
            lua_cpath_named: false,
            preload: None,
            compat51: false,
            start: "main".to_owned(),
            snax: None,
            logpath: None,
            cluster: None,
            redis_keys: None,
            websocket_keys: WebSocketKeys {
                frame: 256,
                message: 256,
                write: 8192,
                handshake: Duration::from_secs(10),
                close: Duration::from_secs(5),
                ping: Duration::from_secs(60),
                accept_unmasked: false,
            },
            cluster_keys: ClusterKeys {
                dead_after: Duration::from_secs(15),
                connect_limit: Duration::from_secs(5),
                call_limit: Duration::ZERO,
                message_limit: 64 << 20,
                allow: None,
                watch: true,
                secret: None,
                tls: None,
            },
            standalone: None,
            master: None,
            address: None,
            certfile: None,
            keyfile: None,
            tls_ca: None,
            tls_handshake_timeout: Duration::from_secs(10),
            tls_verify: true,
            sandbox: None,
            stop_deadline: Duration::from_secs(10),
            endless_warning: Duration::from_secs(5),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn numbers_come_as_numbers_texts_and_results_of_a_division() {
        for text in ["thread = 4", "thread = '4'", "thread = 8 / 2", "thread = ' 4 '"] {
            assert_eq!(settings(text).thread, 4, "{text}");
        }
        assert_eq!(settings("endless_warning = 0.5").endless_warning, Duration::from_millis(500));
        assert_eq!(settings("stop_deadline = '0'").stop_deadline, Duration::ZERO);
        assert_eq!(settings("harbor = 255").harbor, 255);
    }

    #[test]
    fn booleans_come_as_booleans_and_texts() {
        assert!(!settings("profile = false").profile);
        assert!(!settings("profile = 'false'").profile);
        assert!(settings("profile = 'true'").profile);
    }

    #[test]
    fn a_value_of_no_use_is_named_with_its_line_and_what_was_expected() {
        for (text, expected) in [
            ("\nthread = 0", ":2: thread = 0 (expected 1..=1024)"),
            ("thread = 1025", ":1: thread = 1025 (expected 1..=1024)"),
            ("thread = -1", ":1: thread = -1 (expected 1..=1024)"),
            ("thread = 1.5", ":1: thread = 1.5 (expected 1..=1024)"),
            ("thread = 'many'", ":1: thread = \"many\" (expected 1..=1024)"),
            ("thread = ''", ":1: thread = \"\" (expected 1..=1024)"),
            ("thread = true", ":1: thread = true (expected 1..=1024)"),
            ("harbor = 256", ":1: harbor = 256 (expected 0..=255)"),
            ("profile = 1", ":1: profile = 1 (expected true or false)"),
            ("profile = 'yes'", ":1: profile = \"yes\" (expected true or false)"),
            ("bootstrap = ' '", ":1: bootstrap = \" \" (expected the name of a service in UTF-8)"),
            (
                "start = '\\xff'",
                ":1: start = \"\u{fffd}\" (expected the name of a service in UTF-8)",
            ),
            ("stop_deadline = -1", ":1: stop_deadline = -1 (expected seconds, 0..=86400)"),
            ("stop_deadline = 'inf'", ":1: stop_deadline = \"inf\" (expected seconds, 0..=86400)"),
            ("endless_warning = 0", ":1: endless_warning = 0 (expected seconds, 0.01..=86400)"),
            (
                "endless_warning = 0/0",
                ":1: endless_warning = -nan (expected seconds, 0.01..=86400)",
            ),
        ] {
            assert_eq!(
                load_text(text).unwrap_err(),
                format!("config ./config{expected}"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_node_on_its_own_has_no_master() {
        let message = load_text("harbor = 0\nstandalone = '0.0.0.0:2013'").unwrap_err();
        let expected = "config ./config:2: standalone = \"0.0.0.0:2013\" \
                        (expected no value, since harbor = 0 has no master)";
        assert_eq!(message, expected);
        let master = settings("standalone = '0.0.0.0:2013'").standalone;
        assert_eq!(master.as_deref(), Some("0.0.0.0:2013"));
        assert_eq!(settings("harbor = 0\nstandalone = nil").harbor, 0);
    }

    #[test]
    fn an_empty_text_and_false_say_that_there_is_none() {
        let settings = settings("daemon = ''\nlogger = false\nlogpath = 'logs'");
        assert_eq!((settings.daemon, settings.logger), (None, None));
        assert_eq!(settings.logpath, Some("logs".into()));
    }

    #[test]
    fn search_paths_are_lists_and_a_last_separator_is_fine() {
        let settings = settings("luaservice = './a/?.lua;./a/?/init.lua;'\nsnax = './s/?.lua'");
        let patterns: Vec<&[u8]> = settings.luaservice.patterns().collect();
        assert_eq!(patterns, [b"./a/?.lua".as_slice(), b"./a/?/init.lua"]);
        assert_eq!(settings.luaservice.as_bytes(), b"./a/?.lua;./a/?/init.lua;");
        assert_eq!(settings.snax.unwrap().patterns().count(), 1);
    }

    #[test]
    fn it_is_known_whether_the_config_names_lua_cpath() {
        assert!(settings("lua_cpath = './luaclib/?.so'").lua_cpath_named);
        assert!(!settings("lua_cpath = nil").lua_cpath_named);
    }

    #[test]
    fn a_path_keeps_bytes_that_are_no_utf8() {
        let logpath = settings("logpath = '\\xd6\\xd0'").logpath.unwrap();
        assert_eq!(logpath.into_os_string().into_vec(), b"\xd6\xd0");
    }

    #[test]
    fn a_policy_file_is_named_by_a_path_and_a_switch_belongs_to_the_game() {
        assert_eq!(settings("sandbox = './strict.toml'").sandbox, Some("./strict.toml".into()));
        assert_eq!(settings("sandbox = true").sandbox, None);
        for value in ["true", "false", "'true'", "1", "'0'", "''"] {
            let warnings = load_warnings(&format!("sandbox = {value}"));
            assert_eq!(warnings.len(), 1, "{value}");
            assert!(warnings[0].contains("names no policy file"), "{value}");
        }
    }
}
