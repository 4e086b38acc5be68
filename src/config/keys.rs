//! The keys that have a meaning, and their defaults.
//!
//! Invariant: a default that `skynet.getenv` shows is exactly one that skynet writes back.
//! Not here: which values a key accepts (`settings.rs`).

/// A key of the config that skynet or this node reads.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) default: DefaultValue,
}

/// What holds when a config leaves a key out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultValue {
    /// Nothing.
    Absent,
    /// A value that only the node uses; `skynet.getenv` returns nil.
    Silent(&'static str),
    /// A value that `skynet.getenv` returns too.
    WrittenBack(&'static str),
}

impl Key {
    const fn absent(name: &'static str) -> Self {
        Self { name, default: DefaultValue::Absent }
    }

    const fn silent(name: &'static str, value: &'static str) -> Self {
        Self { name, default: DefaultValue::Silent(value) }
    }

    const fn written_back(name: &'static str, value: &'static str) -> Self {
        Self { name, default: DefaultValue::WrittenBack(value) }
    }
}

/// Every key with a meaning; any other key belongs to the game.
pub(super) const KEYS: &[Key] = &[
    Key::written_back("thread", "8"),
    Key::written_back("cpath", "./cservice/?.so"),
    Key::written_back("harbor", "1"),
    Key::written_back("bootstrap", "snlua bootstrap"),
    Key::written_back("logservice", "logger"),
    Key::written_back("profile", "true"),
    Key::absent("daemon"),
    Key::absent("logger"),
    Key::silent("luaservice", "./service/?.lua"),
    Key::silent("lualoader", "./lualib/loader.lua"),
    Key::silent("lua_path", "./lualib/?.lua;./lualib/?/init.lua"),
    Key::silent("lua_cpath", "./luaclib/?.so"),
    Key::absent("preload"),
    Key::silent("start", "main"),
    Key::absent("snax"),
    Key::absent("snax_interface_g"),
    Key::absent("snax_loader"),
    Key::absent("logpath"),
    Key::absent("cluster"),
    Key::absent("standalone"),
    Key::absent("master"),
    Key::absent("address"),
    Key::absent("enablessl"),
    Key::absent("certfile"),
    Key::absent("keyfile"),
    // This node's own keys.
    Key::absent("sandbox"),
    Key::absent("cluster_allow"),
    Key::absent("cluster_announce"),
    Key::absent("cluster_ca"),
    Key::absent("cluster_certfile"),
    Key::silent("cluster_connect_timeout", "5"),
    Key::silent("cluster_dead_after", "15"),
    Key::absent("cluster_keyfile"),
    Key::silent("cluster_limit", "67108864"),
    Key::silent("cluster_listen", "0.0.0.0:0"),
    Key::absent("cluster_secret"),
    Key::silent("cluster_timeout", "0"),
    Key::silent("cluster_tls", "false"),
    Key::silent("cluster_watch", "true"),
    Key::absent("redis"),
    Key::absent("redis_file"),
    Key::silent("redis_fsync", "everysec"),
    Key::silent("redis_memory", "256"),
    Key::absent("redis_password"),
    Key::silent("websocket_frame_limit", "256"),
    Key::silent("websocket_message_limit", "256"),
    Key::silent("websocket_write_limit", "8192"),
    Key::silent("websocket_handshake_timeout", "10"),
    Key::silent("websocket_close_timeout", "5"),
    Key::silent("websocket_ping", "60"),
    Key::silent("websocket_accept_unmasked", "false"),
    Key::silent("compat51", "false"),
    Key::silent("tcp_nodelay", "true"),
    Key::absent("tls_ca"),
    Key::silent("tls_handshake_timeout", "10"),
    Key::silent("tls_verify", "true"),
    Key::silent("shared_limit", "8192"),
    Key::silent("socket_send_limit", "64"),
    Key::silent("redis_reply_limit", "512"),
    Key::silent("stop_deadline", "10"),
    Key::silent("endless_warning", "5"),
];

/// Looks up the key called `name`.
pub(super) fn find(name: &[u8]) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_the_table_once() {
        let mut names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn a_key_is_found_by_its_exact_name() {
        assert_eq!(find(b"thread").unwrap().default, DefaultValue::WrittenBack("8"));
        assert!(find(b"Thread").is_none());
        assert!(find(b"\xff").is_none());
    }
}
