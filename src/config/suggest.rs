//! Finds the key that somebody meant when a config has an unknown one.
//!
//! Invariant: a hint is worth reading. Games add keys of their own freely (`root`, `port`,
//! `nodename`), so the rules below rather miss a slip than cry wolf.
//! Not here: who prints the warning (`boot.rs`).

use super::keys;

/// Shortest name, in bytes, that is compared: most four-letter words are a slip away from some
/// other (`stat` and `start`).
const SHORTEST: usize = 5;

/// Shortest name, in bytes, in which two slips are believed; a shorter one may have one.
const TWO_SLIPS: usize = 8;

/// The known key that `unknown` was probably meant to be. `is_set` tells whether the config sets
/// a key: one that is set was not meant.
pub(super) fn nearest(unknown: &[u8], is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    // A number at the end makes a family of keys: `cluster1`, `cluster2`.
    if unknown.len() < SHORTEST || unknown.last().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let unknown = unknown.to_ascii_lowercase();
    let candidates = keys::KEYS.iter().map(|key| key.name).filter(|name| {
        // Hardly anybody mistypes the first letter, but many words differ in it alone.
        name.len() >= SHORTEST && name.as_bytes().first() == unknown.first() && !is_set(name)
    });
    let scored = candidates.filter_map(|name| {
        let allowed = if name.len().min(unknown.len()) < TWO_SLIPS { 1 } else { 2 };
        let slips = slips(&unknown, name.as_bytes());
        (slips <= allowed).then_some((slips, name))
    });
    scored.min().map(|(_, name)| name)
}

/// Counts the letters to insert, remove, replace or swap with their neighbour until `from`
/// becomes `to`.
fn slips(from: &[u8], to: &[u8]) -> usize {
    // Row i holds the counts for the first i letters of `from` and each beginning of `to`.
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(before_last[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(unknown: &str) -> Option<&'static str> {
        nearest(unknown.as_bytes(), |_| false)
    }

    #[test]
    fn slips_are_counted_and_a_swap_is_one() {
        assert_eq!(slips(b"luaservice", b"luaservice"), 0);
        assert_eq!(slips(b"luaservce", b"luaservice"), 1);
        assert_eq!(slips(b"thraed", b"thread"), 1);
        assert_eq!(slips(b"", b"abc"), 3);
        assert_eq!(slips(b"abc", b""), 3);
        assert_eq!(slips(b"kitten", b"sitting"), 3);
    }

    #[test]
    fn common_slips_find_their_key() {
        for (unknown, known) in [
            ("luaservce", "luaservice"),
            ("lua_service", "luaservice"),
            ("luapath", "lua_path"),
            ("lua_cpaht", "lua_cpath"),
            ("threads", "thread"),
            ("thraed", "thread"),
            ("Thread", "thread"),
            ("harbour", "harbor"),
            ("bootstarp", "bootstrap"),
            ("boostrap", "bootstrap"),
            ("prelaod", "preload"),
            ("standalon", "standalone"),
            ("enable_ssl", "enablessl"),
            ("logservcie", "logservice"),
            ("stop_dealine", "stop_deadline"),
            ("sandbx", "sandbox"),
        ] {
            assert_eq!(meant(unknown), Some(known), "{unknown}");
        }
    }

    #[test]
    fn keys_that_games_use_are_left_alone() {
        for own in [
            "root",
            "port",
            "path",
            "stat",
            "host",
            "node",
            "nodename",
            "node_name",
            "node_id",
            "debug_port",
            "debug_console_port",
            "log_level",
            "loglevel",
            "logdir",
            "logname",
            "skynet_root",
            "skynetroot",
            "app_root",
            "redis_host",
            "redis_port",
            "redis_db",
            "mysql_host",
            "mysql_port",
            "mysql_maxconn",
            "db_port",
            "gameservice",
            "botservice",
            "webservice",
            "max_client",
            "gate_port",
            "server_port",
            "ws_port",
            "svr_id",
            "svr_type",
            "server_id",
            "clustername",
            "cluster_name",
            "cluster1",
            "cluster2",
            "master1",
            "thread2",
            "start_time",
            "starttime",
            "address_list",
            "harbor_id",
            "server_name",
            "service_path",
            "include_path",
            "lua_root",
            "sandbox_url",
            "login",
            "logic",
            "agent",
            "master_port",
            "daemon_mode",
            "config",
            "env",
            "debug",
            "proto",
        ] {
            assert_eq!(meant(own), None, "{own}");
        }
    }

    #[test]
    fn a_key_that_is_set_is_not_suggested() {
        assert_eq!(nearest(b"threads", |name| name == "thread"), None);
        assert_eq!(nearest(b"lua_pathh", |name| name == "lua_path"), Some("lua_cpath"));
    }

    #[test]
    fn a_key_of_odd_bytes_is_no_problem() {
        assert_eq!(nearest(b"\xd6\xd0\xce\xc4\xd6\xd0", |_| false), None);
        assert_eq!(nearest(b"", |_| false), None);
        assert_eq!(nearest(&[b't'; 100_000], |_| false), None);
    }
}
