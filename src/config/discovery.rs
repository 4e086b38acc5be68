//! The keys about nodes that find each other through Redis: `cluster` as a URL, `cluster_listen`,
//! `cluster_announce`.
//!
//! Invariant: a password appears in no message.
//! Not here: reading the URL's parts (`lua/lib/skynet/internal/discovery.lua`); here it is checked.

use std::ops::RangeInclusive;

use super::error::ConfigError;
use super::settings::Reader;

/// What a value of `cluster` begins with that is no file.
const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

/// Seconds that a name lives without being renewed.
const LEASE: RangeInclusive<u32> = 1..=3_600;

/// Makes sure that the keys can be used.
pub(super) fn check(reader: &Reader<'_>) -> Result<(), ConfigError> {
    let url = reader.assigned("cluster").map(|given| String::from_utf8_lossy(&given.text));
    let rest =
        url.as_deref().and_then(|url| SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme)));
    if let Some(rest) = rest {
        check_url(rest).map_err(|why| hidden(reader, rest, &why))?;
    }
    for (key, port_needed) in [("cluster_listen", true), ("cluster_announce", false)] {
        let Some(value) = reader.text(key)? else { continue };
        if rest.is_none() {
            let why = "no value, since `cluster` is no \"redis://...\"";
            return Err(reader.refuse(key, why));
        }
        let form = if port_needed { "host:port" } else { "a host, or host:port" };
        if !is_address(&value, port_needed) {
            return Err(reader.refuse(key, form));
        }
    }
    Ok(())
}

/// `[user:password@]host[:port][/database][?prefix=...&lease=...]`; the reason if it is not.
fn check_url(rest: &str) -> Result<(), String> {
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (address, database) = base.split_once('/').unwrap_or((base, ""));
    let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
    if !is_address(address, false) {
        return Err("redis://host:port/database?prefix=...&lease=...".to_owned());
    }
    if !database.is_empty() && database.parse::<u32>().is_err() {
        return Err("the number of a database behind the host".to_owned());
    }
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let good = match key {
            "prefix" => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()),
            "lease" => value.parse().is_ok_and(|seconds| LEASE.contains(&seconds)),
            _ => false,
        };
        if !good {
            let (least, most) = (LEASE.start(), LEASE.end());
            return Err(format!("behind the ? prefix=TEXT or lease=SECONDS, {least}..={most}"));
        }
    }
    Ok(())
}

/// A host with a port, or without one if that is not `needed`. IPv6 with a port is in brackets.
fn is_address(text: &str, needed: bool) -> bool {
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
    };
    if let Some(inner) = text.strip_prefix('[') {
        let Some((host, port)) = inner.split_once(']') else { return false };
        let port = port.strip_prefix(':').filter(|port| port.parse::<u16>().is_ok());
        return is_host(host) && (port.is_some() || !needed && inner.ends_with(']'));
    }
    match text.split_once(':') {
        // A number of IPv6 without a port.
        Some((_, rest)) if rest.contains(':') => !needed && is_host(text),
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok(),
        None => !needed && is_host(text),
    }
}

/// The error for `cluster`, with the part in front of the host left out.
fn hidden(reader: &Reader<'_>, rest: &str, expected: &str) -> ConfigError {
    match (reader.refuse("cluster", expected), rest.rsplit_once('@')) {
        (ConfigError::Value { place, key, expected, .. }, Some((_, shown))) => {
            ConfigError::Value { place, key, expected, value: format!("\"redis://...@{shown}\"") }
        }
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;

    #[test]
    fn a_url_with_all_its_parts_is_taken() {
        for url in [
            "redis://127.0.0.1",
            "redis://cache.example:6380/3?prefix=game:&lease=5",
            "rediss://user:p@ss@[::1]:6379/0?lease=3600",
            "redis://:secret@10.0.0.1:6379",
        ] {
            assert!(load_text(format!("cluster = '{url}'")).is_ok(), "{url}");
        }
        let more = "cluster = 'redis://h'\ncluster_listen = '[::]:0'\ncluster_announce = '::1'";
        assert!(load_text(more).is_ok());
    }

    #[test]
    fn a_url_of_no_use_is_refused_without_its_password() {
        for (url, expected) in [
            ("redis://", "host:port"),
            ("redis://h:x", "host:port"),
            ("redis://h/x", "the number of a database"),
            ("redis://h?lease=0", "lease=SECONDS, 1..=3600"),
            ("redis://h?lease=1.5", "lease=SECONDS"),
            ("redis://h?prefix=", "prefix=TEXT"),
            ("redis://h?tls=1", "prefix=TEXT"),
            ("redis://user:hush@h/x", "redis://...@h/x"),
        ] {
            let error = load_text(format!("cluster = '{url}'")).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hush"), "{url}: {error}");
        }
    }

    #[test]
    fn places_to_listen_need_a_redis_and_a_port() {
        for (text, expected) in [
            ("cluster_listen = '0.0.0.0:0'", "since `cluster` is no"),
            ("cluster = './names.lua'\ncluster_announce = 'h'", "since `cluster` is no"),
            ("cluster = 'redis://h'\ncluster_listen = 'h'", "(expected host:port)"),
            ("cluster = 'redis://h'\ncluster_announce = 'h:x'", "(expected a host, or host:port)"),
        ] {
            let error = load_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
