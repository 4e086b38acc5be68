//! Code cache: a script is parsed once per process, however many services run it.
//!
//! Stock Lua cannot share functions between states, so what is kept is the compiled chunk as
//! bytes. Invariant: an entry is used only while the file's size and modification time are those
//! it was compiled from, so an edited script is read again by the next service.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// Largest script that is read: far beyond any real one, and what a script may make the node
/// allocate outside of its own memory limit.
const LARGEST_SCRIPT: u64 = 64 << 20;

/// Most bytes of compiled scripts that are kept; what comes later is compiled for each service.
const MOST_CODE: usize = 256 << 20;

/// What `skynet.codecache.mode` selects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Use the cache and add to it.
    On,
    /// Neither use nor add.
    Off,
    /// Use what is there, add nothing.
    Exist,
}

/// A compiled chunk.
#[derive(Debug)]
pub struct Chunk {
    /// Bytes for `lua_load`.
    pub code: Box<[u8]>,
    stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// What a script file gave.
pub enum Source {
    /// It is in the cache.
    Compiled(Arc<Chunk>),
    /// Its text, to be compiled; hand the result to `Cache::store` under the ticket.
    Text(Vec<u8>, Ticket),
}

/// Permission to store what was compiled from a text that was read.
pub struct Ticket {
    path: PathBuf,
    stamp: Stamp,
}

/// Compiled chunks of one node.
#[derive(Debug)]
pub struct Cache {
    chunks: RwLock<HashMap<PathBuf, Arc<Chunk>>>,
    /// Compiled files of the binary itself, which never change.
    embedded: RwLock<HashMap<&'static str, Arc<Chunk>>>,
    mode: AtomicU8,
    /// Bytes in `chunks`.
    size: AtomicUsize,
    /// Keyed with secrets of this process.
    signer: RandomState,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self {
            chunks: RwLock::default(),
            embedded: RwLock::default(),
            mode: AtomicU8::new(0),
            size: AtomicUsize::new(0),
            signer: RandomState::new(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.chunks.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.size.store(0, Ordering::Relaxed);
    }

    /// The signature of bytecode that this node has dumped itself. Services pass it on to each
    /// other, and Lua does not check bytecode: unsigned, it would be a way out of the sandbox.
    pub fn sign(&self, code: &[u8]) -> [u8; 8] {
        self.signer.hash_one(code).to_le_bytes()
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::On,
            1 => Mode::Off,
            _ => Mode::Exist,
        }
    }

    /// Sets the mode.
    pub fn set_mode(&self, mode: Mode) {
        let number = match mode {
            Mode::On => 0,
            Mode::Off => 1,
            Mode::Exist => 2,
        };
        self.mode.store(number, Ordering::Relaxed);
    }

    /// Reads a script, from the cache if the file has not changed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, path: &Path) -> io::Result<Source> {
        let found = fs::metadata(path)?;
        if found.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        if !found.is_file() {
            // A pipe or a device may never come to an end.
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let stamp = Stamp::of(&found);
        if self.mode() != Mode::Off {
            let chunks = self.chunks.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(chunk) = chunks.get(path).filter(|chunk| chunk.stamp == stamp) {
                return Ok(Source::Compiled(Arc::clone(chunk)));
            }
        }
        let mut text = Vec::new();
        fs::File::open(path)?.take(LARGEST_SCRIPT + 1).read_to_end(&mut text)?;
        if text.len() as u64 > LARGEST_SCRIPT {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        Ok(Source::Text(text, Ticket { path: path.to_owned(), stamp }))
    }

    /// Keeps what was compiled from a text.
    pub fn store(&self, ticket: Ticket, code: &[u8]) {
        if self.is_storing() {
            self.size.fetch_add(code.len(), Ordering::Relaxed);
            let chunk = Arc::new(Chunk { code: code.into(), stamp: ticket.stamp });
            self.chunks.write().unwrap_or_else(PoisonError::into_inner).insert(ticket.path, chunk);
        }
    }

    /// A compiled file of the binary.
    pub fn embedded(&self, name: &str) -> Option<Arc<Chunk>> {
        self.embedded.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps a compiled file of the binary.
    pub fn store_embedded(&self, name: &'static str, code: &[u8]) {
        let chunk = Arc::new(Chunk { code: code.into(), stamp: Stamp { size: 0, modified: None } });
        self.embedded.write().unwrap_or_else(PoisonError::into_inner).insert(name, chunk);
    }

    /// Whether compiled chunks are to be stored at all.
    pub fn is_storing(&self) -> bool {
        self.mode() == Mode::On && self.size.load(Ordering::Relaxed) < MOST_CODE
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// The part of a script's text that is Lua: without a byte order mark, and with a first line that
/// starts with `#` emptied, as Lua's own loader does.
pub fn strip_prefix(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.first() != Some(&b'#') {
        return text;
    }
    // The line break stays, so that line numbers are those of the file.
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_first_lines_with_a_hash_are_skipped() {
        assert_eq!(strip_prefix(b"\xef\xbb\xbfreturn 1"), b"return 1");
        assert_eq!(strip_prefix(b"#!/usr/bin/node\nreturn 1"), b"\nreturn 1");
        assert_eq!(strip_prefix(b"return 1"), b"return 1");
    }

    #[test]
    fn an_edited_file_is_read_again() {
        let directory = std::env::temp_dir().join(format!("node-cache-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("script.lua");
        fs::write(&path, "return 1").unwrap();
        let cache = Cache::new();
        let Source::Text(text, ticket) = cache.read(&path).unwrap() else { panic!("cached") };
        assert_eq!(text, b"return 1");
        cache.store(ticket, b"code");
        assert!(matches!(cache.read(&path).unwrap(), Source::Compiled(_)));
        fs::write(&path, "return 22").unwrap();
        assert!(matches!(cache.read(&path).unwrap(), Source::Text(..)));
        cache.clear();
        fs::remove_dir_all(&directory).unwrap();
    }
}
