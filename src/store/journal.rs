//! What is to be written to the append-only file: the changes of a command, in their order.
//!
//! Invariant: what one command, transaction or script has changed is written as one: a single
//! command, or several between `MULTI` and `EXEC`.
//! Not here: the file (`aof/`).

use super::call::Words;
use super::number::integer_text;
use crate::codec::resp::command;

/// Changes on their way to the file.
#[derive(Debug, Default)]
pub struct Journal {
    /// Nobody reads it: there is no file.
    pub enabled: bool,
    /// The database that the file is at.
    selected: Option<usize>,
    pending: Vec<(usize, Words)>,
    /// Bytes for the file.
    pub bytes: Vec<u8>,
}

impl Journal {
    /// Notes a command.
    pub fn note(&mut self, db: usize, command: Words) {
        if self.enabled {
            self.pending.push((db, command));
        }
    }

    /// Ends what belongs together.
    pub fn commit(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let several = pending.len() > 1;
        if several {
            write_command(&[b"MULTI"], &mut self.bytes);
        }
        for (db, command) in pending {
            if self.selected.replace(db) != Some(db) {
                let number = integer_text(i64::try_from(db).unwrap_or_default());
                write_command(&[&b"SELECT"[..], &number], &mut self.bytes);
            }
            write_command(&command, &mut self.bytes);
        }
        if several {
            write_command(&[b"EXEC"], &mut self.bytes);
        }
    }

    /// The file begins anew, or at an unknown database.
    pub fn forget_selected(&mut self) {
        self.selected = None;
    }
}

/// Appends a command as a client sends it.
pub fn write_command(words: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    command::begin(out, words.len());
    words.iter().for_each(|word| command::put_part(out, word.as_ref()));
}
