//! The keys about the embedded store.
//!
//! Invariant: as `Settings`: whoever holds it checks nothing again. A `redis` that means no
//! embedded store is the game's own.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::Reader;

/// Port of Redis.
const PORT: u16 = 6379;

/// MiB of keys and values: up to what no machine has.
const MEMORY: RangeInclusive<u64> = 1..=1 << 24;

/// What the config says about the embedded store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisKeys {
    /// The port from `redis = "embedded:PORT"`; 0 takes a free one.
    pub port: u16,
    /// `redis_file`: the append-only file.
    pub file: Option<PathBuf>,
    /// `redis_fsync`: `always`, `everysec` or `no`.
    pub fsync: String,
    /// `redis_password`.
    pub password: Option<String>,
    /// `redis_memory`, in bytes.
    pub memory: usize,
}

impl RedisKeys {
    pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let Ok(Some(value)) = reader.text("redis") else { return Ok(None) };
        let Some(rest) = value.strip_prefix("embedded") else { return Ok(None) };
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok(),
            None if rest.is_empty() => Some(PORT),
            None => None,
        };
        let port = port.ok_or_else(|| reader.refuse("redis", "\"embedded\" or \"embedded:PORT\""));
        let fsync = reader.text("redis_fsync")?.unwrap_or_else(|| "everysec".to_owned());
        if !matches!(&*fsync, "always" | "everysec" | "no") {
            return Err(reader.refuse("redis_fsync", "\"always\", \"everysec\" or \"no\""));
        }
        Ok(Some(Self {
            port: port?,
            file: reader.path("redis_file"),
            fsync,
            password: reader.text("redis_password")?,
            memory: reader.integer::<usize>("redis_memory", &MEMORY)? << 20,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;
    use super::*;

    fn keys(text: &str) -> Option<RedisKeys> {
        load_text(text).unwrap().settings.redis_keys
    }

    #[test]
    fn an_embedded_store_has_a_port_and_defaults() {
        let expected = RedisKeys {
            port: 6379,
            file: None,
            fsync: "everysec".to_owned(),
            password: None,
            memory: 256 << 20,
        };
        assert_eq!(keys("redis = 'embedded'"), Some(expected));
        assert_eq!(keys("redis = 'embedded:0'").unwrap().port, 0);
        let text = "redis = 'embedded:7000' redis_file = './game.aof' redis_memory = 64";
        let read = keys(text).unwrap();
        assert_eq!((read.port, read.memory), (7000, 64 << 20));
        assert_eq!(read.file, Some("./game.aof".into()));
    }

    #[test]
    fn any_other_redis_belongs_to_the_game() {
        for text in ["", "redis = nil", "redis = '127.0.0.1'", "redis = 6379", "redis = false"] {
            assert_eq!(keys(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_of_no_use_is_refused() {
        for (text, expected) in [
            ("redis = 'embedded:'", "(expected \"embedded\" or \"embedded:PORT\")"),
            ("redis = 'embedded:65536'", "(expected \"embedded\" or \"embedded:PORT\")"),
            ("redis = 'embeddedly'", "(expected \"embedded\" or \"embedded:PORT\")"),
            (
                "redis = 'embedded' redis_fsync = 'never'",
                "(expected \"always\", \"everysec\" or \"no\")",
            ),
            ("redis = 'embedded' redis_memory = 0", "(expected 1..=16777216)"),
        ] {
            let error = load_text(text).unwrap_err();
            assert!(error.ends_with(expected), "{text}: {error}");
        }
    }
}
