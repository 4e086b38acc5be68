//! The append-only file: every change as the command that makes it.
//!
//! Invariants: the file ends with a whole command, or with a part of the last one if the machine
//! failed; a rewritten file takes the place of the old one at once, whole.
//! Not here: which commands are written (`journal.rs`).

pub mod load;
mod snapshot;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Store;

/// Bytes that are written at once while the file is rewritten.
const BUFFER: usize = 256 * 1024;
/// Room that is kept for the changes of the next commands.
const KEPT: usize = 64 * 1024;

/// The file.
pub struct Aof {
    path: PathBuf,
    file: File,
    size: u64,
    /// Size after the last rewrite, or at the start.
    base: u64,
    unsynced: bool,
    /// What a write that failed has left at the end is still there.
    torn: bool,
}

impl Aof {
    /// Opens the file to write at its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, base: size, unsynced: false, torn: false })
    }

    /// Its size, and what it was after the last rewrite.
    pub fn sizes(&self) -> (u64, u64) {
        (self.size, self.base)
    }

    /// Writes commands, which are gone from `bytes` then; forces them to the disk if `always`.
    ///
    /// # Errors
    /// When the disk does not take them. They stay, for the next time.
    pub fn write(&mut self, bytes: &mut Vec<u8>, always: bool) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.size)?;
            self.torn = false;
        }
        if let Err(error) = self.file.write_all(bytes) {
            self.torn = true;
            return Err(error);
        }
        self.size += bytes.len() as u64;
        bytes.clear();
        bytes.shrink_to(KEPT);
        self.unsynced = true;
        if always { self.sync() } else { Ok(()) }
    }

    /// Forces what was written to the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.unsynced = false;
        Ok(())
    }

    /// The file for somebody else to force it to the disk, if there is a reason.
    pub fn unsynced(&mut self) -> Option<io::Result<File>> {
        std::mem::take(&mut self.unsynced).then(|| self.file.try_clone())
    }

    /// True when it has grown by so many per cent since the last rewrite, and is not small.
    pub fn has_doubled(&self, percentage: u64, smallest: u64) -> bool {
        let limit = self.base.max(1).saturating_mul(100 + percentage) / 100;
        percentage > 0 && self.size >= smallest.max(1) && self.size >= limit
    }

    /// Writes a new file with what there is now, which takes the place of this one. It has also
    /// what the old one did not take.
    ///
    /// # Errors
    /// When it cannot be written; the old file stays, and nothing of the new one.
    pub fn rewrite(&mut self, store: &mut Store) -> io::Result<()> {
        // Until the next try the file has to double again, also if this one fails.
        self.base = self.size;
        let mut name = self.path.clone().into_os_string();
        name.push(".rewrite");
        let fresh = PathBuf::from(name);
        let written = Self::write_whole(store, &fresh)
            .and_then(|written| fs::rename(&fresh, &self.path).map(|()| written));
        let written = written.inspect_err(|_| drop(fs::remove_file(&fresh)))?;
        // From here on it is the file, whatever else fails.
        *self = Self { path: std::mem::take(&mut self.path), ..written };
        store.journal.bytes.clear();
        // The next change says anew which database it is in.
        store.journal.forget_selected();
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn write_whole(store: &Store, path: &Path) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(BUFFER, File::create(path)?);
        snapshot::write(store, &mut writer)?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Self::open(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::client::Client;
    use crate::store::{Clock, Config};

    #[test]
    fn what_the_disk_does_not_take_is_kept() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let path = PathBuf::from("/dev/full");
        let mut aof = Aof { path, file, size: 0, base: 0, unsynced: false, torn: false };
        let mut bytes = b"*1\r\n$4\r\nPING\r\n".to_vec();
        assert!(aof.write(&mut bytes, false).is_err());
        assert_eq!(bytes, b"*1\r\n$4\r\nPING\r\n");
    }

    #[test]
    fn while_the_file_takes_nothing_nothing_is_changed() {
        let mut store = Store::new(Config::default(), Clock::manual(1)).unwrap();
        let slot = store.clients.add(Client::internal(0));
        let ask = |store: &mut Store, words: &[&[u8]]| {
            store.execute(slot, words);
            let client = store.clients.get_mut(slot).unwrap();
            String::from_utf8(client.take_output(Vec::new())).unwrap()
        };
        store.file_failure = Some("No space left on device".to_owned());
        assert_eq!(
            ask(&mut store, &[b"set", b"a", b"1"]),
            "-MISCONF Errors writing to the AOF file: No space left on device\r\n"
        );
        let script = ask(&mut store, &[b"eval", b"return redis.call('set', 'a', '1')", b"0"]);
        assert!(
            script.starts_with("-MISCONF Errors writing to the AOF file: No space"),
            "{script}"
        );
        assert_eq!(ask(&mut store, &[b"get", b"a"]), "$-1\r\n");
        store.file_failure = None;
        assert_eq!(ask(&mut store, &[b"multi"]), "+OK\r\n");
        assert_eq!(ask(&mut store, &[b"set", b"a", b"1"]), "+QUEUED\r\n");
        store.file_failure = Some("No space left on device".to_owned());
        assert_eq!(
            ask(&mut store, &[b"exec"]),
            "-EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file: \
             No space left on device\r\n"
        );
        store.file_failure = None;
        assert_eq!(ask(&mut store, &[b"get", b"a"]), "$-1\r\n");
        assert_eq!(ask(&mut store, &[b"set", b"a", b"1"]), "+OK\r\n");
    }

    #[test]
    fn nothing_is_left_of_a_new_file_that_the_disk_does_not_take() {
        let folder = std::env::temp_dir().join(format!("aof-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, fresh) = (folder.join("data.aof"), folder.join("data.aof.rewrite"));
        let mut store = Store::new(Config::default(), Clock::manual(1)).unwrap();
        let slot = store.clients.add(Client::internal(0));
        store.execute(slot, &[b"set", b"a", b"1"]);
        let mut aof = Aof::open(&path).unwrap();
        std::os::unix::fs::symlink("/dev/full", &fresh).unwrap();
        assert!(aof.rewrite(&mut store).is_err());
        assert!(fresh.symlink_metadata().is_err());
        assert!(path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
