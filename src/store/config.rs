//! What the store is set to, at its start and by `CONFIG SET`.

use std::path::PathBuf;

/// When what was written to the file is forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before the client is answered.
    Always,
    /// Once a second.
    #[default]
    EverySecond,
    /// When the system likes.
    No,
}

impl Fsync {
    /// The setting that a word means.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match &*word.to_ascii_lowercase() {
            b"always" => Some(Self::Always),
            b"everysec" => Some(Self::EverySecond),
            b"no" => Some(Self::No),
            _ => None,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySecond => "everysec",
            Self::No => "no",
        }
    }
}

/// Settings of the store.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port that is asked for; 0 is a free one. Then the one there is.
    pub port: u16,
    /// The password, if one is needed.
    pub password: Option<Vec<u8>>,
    /// The append-only file, if there is one.
    pub file: Option<PathBuf>,
    /// When it is forced to the disk.
    pub fsync: Fsync,
    /// Bytes that keys and values may take; 0 is as many as there are.
    pub maxmemory: usize,
    /// Most clients at once.
    pub maxclients: usize,
    /// Longest argument in bytes.
    pub bulk_limit: i64,
    /// Growth of the file in per cent after which it is rewritten; 0 never does.
    pub rewrite_percentage: u64,
    /// Below this size in bytes it is not rewritten.
    pub rewrite_size: u64,
    /// Milliseconds a script may run; 0 is for ever.
    pub script_limit: u64,
}

/// Databases of the store.
pub const DATABASES: usize = 16;

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 6379,
            password: None,
            file: None,
            fsync: Fsync::default(),
            maxmemory: 0,
            maxclients: 10_000,
            bulk_limit: 512 << 20,
            rewrite_percentage: 100,
            rewrite_size: 64 << 20,
            script_limit: 5000,
        }
    }
}
