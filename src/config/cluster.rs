//! The keys about the cluster.
//!
//! Invariant: as `Settings`: whoever holds it checks nothing again.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::discovery;
use super::error::ConfigError;
use super::link_security::{ClusterSecret, ClusterTls};
use super::settings::Reader;

/// Seconds that a peer may be silent: the probes of TCP count in seconds.
const DEAD_AFTER: RangeInclusive<f64> = 2.0..=86_400.0;

/// Seconds for a connection to come up.
const CONNECT: RangeInclusive<f64> = 0.01..=3_600.0;

/// Seconds for an answer; 0 is no limit.
const CALL: RangeInclusive<f64> = 0.0..=86_400.0;

/// Bytes of a message: one that goes in parts, up to what a size on the wire can say.
const MESSAGE: RangeInclusive<u64> = 65_536..=0xffff_ffff;

/// What the config says about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterKeys {
    /// `cluster_dead_after`.
    pub dead_after: Duration,
    /// `cluster_connect_timeout`.
    pub connect_limit: Duration,
    /// `cluster_timeout`; zero is no limit.
    pub call_limit: Duration,
    /// `cluster_limit`.
    pub message_limit: usize,
    /// `cluster_allow`: the names, or nothing for all.
    pub allow: Option<Vec<String>>,
    /// `cluster_watch`.
    pub watch: bool,
    /// `cluster_secret`.
    pub secret: Option<ClusterSecret>,
    /// `cluster_tls` and its files.
    pub tls: Option<ClusterTls>,
}

impl ClusterKeys {
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self, ConfigError> {
        let allow = reader.text("cluster_allow")?;
        let is_separator = |letter: char| letter == ',' || letter.is_whitespace();
        let names = |text: String| -> Vec<String> {
            text.split(is_separator).filter(|name| !name.is_empty()).map(Into::into).collect()
        };
        let allow = allow.map(names);
        if allow.iter().flatten().any(|name| !name.starts_with(['@', '.'])) {
            return Err(reader.refuse("cluster_allow", "names such as \"@db .login\""));
        }
        discovery::check(reader)?;
        Ok(Self {
            dead_after: reader.seconds("cluster_dead_after", &DEAD_AFTER)?,
            connect_limit: reader.seconds("cluster_connect_timeout", &CONNECT)?,
            call_limit: reader.seconds("cluster_timeout", &CALL)?,
            message_limit: reader.integer("cluster_limit", &MESSAGE)?,
            allow,
            watch: reader.boolean("cluster_watch")?,
            secret: ClusterSecret::read(reader)?,
            tls: ClusterTls::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;

    #[test]
    fn names_that_peers_may_call_are_listed_with_their_mark() {
        let keys = load_text("cluster_allow = '@db, .login  @x'").unwrap().settings.cluster_keys;
        assert_eq!(keys.allow.unwrap(), ["@db", ".login", "@x"]);
        let error = load_text("cluster_allow = 'db'").unwrap_err().to_string();
        assert!(error.contains("cluster_allow = \"db\""), "{error}");
    }
}
