//! Replaying the append-only file at the start.
//!
//! Invariant: what a machine that failed has left unfinished at the end is cut off, also the
//! beginning of a transaction; anything else that is no command stops the start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::codec::resp::request::{Limits, Parser, Step};
use crate::store::Store;
use crate::store::client::Client;
use crate::store::execute::Next;
use crate::store::server::Log;

/// Bytes read at once.
const READ: usize = 256 * 1024;

/// Replays the file at `path`, if there is one.
///
/// # Errors
/// When it cannot be read, or holds something else; the text says where.
pub fn load(store: &mut Store, path: &Path, log: &Log) -> Result<(), String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    store.keys.loading = true;
    let replayed = replay(store, &mut file);
    store.keys.loading = false;
    let Replayed { whole, commands } = replayed?;
    drop(file);
    if whole < size {
        let file = OpenOptions::new().write(true).open(path).map_err(|error| error.to_string())?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(|error| error.to_string())?;
        log(&format!(
            "embedded redis: file {}: its last {} bytes are no whole command, as after a crash; \
             they are cut off",
            path.display(),
            size - whole
        ));
    }
    log(&format!("embedded redis: file {}: {commands} commands replayed", path.display()));
    store.settle();
    // Replaying is no change of the file.
    store.journal.bytes.clear();
    (store.keys.changes, store.commands) = (0, 0);
    Ok(())
}

struct Replayed {
    /// Bytes up to the end of the last whole command or transaction.
    whole: u64,
    commands: u64,
}

fn replay(store: &mut Store, file: &mut File) -> Result<Replayed, String> {
    let slot = store.clients.add(Client::internal(0));
    let mut input: Vec<u8> = Vec::new();
    let mut parser = Parser::new();
    let mut replayed = Replayed { whole: 0, commands: 0 };
    // Where the next command begins in the file.
    let mut at = 0_u64;
    let result = loop {
        let mut taken = 0;
        let step = loop {
            let rest = &input[taken..];
            if rest.first().is_some_and(|byte| *byte != b'*') {
                break Err(format!("byte {at}: no command of an append-only file"));
            }
            match parser.advance(rest, Limits::trusted(i64::MAX)) {
                Ok(Step::More) => break Ok(()),
                Ok(Step::Nothing(length)) => {
                    taken += length;
                    at += length as u64;
                }
                Ok(Step::Request(length)) => {
                    let args: Vec<&[u8]> = parser.arguments(rest).collect();
                    if let Err(error) = run(store, slot, &args) {
                        break Err(format!("byte {at}: {error}"));
                    }
                    taken += length;
                    at += length as u64;
                    replayed.commands += 1;
                    let open = store.clients.get_mut(slot).is_some_and(|c| c.transaction.is_some());
                    if !open {
                        replayed.whole = at;
                    }
                }
                Err(malformed) => break Err(format!("byte {at}: {malformed}")),
            }
        };
        if let Err(error) = step {
            break Err(error);
        }
        input.drain(..taken);
        let before = input.len();
        let read = file.by_ref().take(READ as u64).read_to_end(&mut input);
        match read {
            Ok(_) if input.len() == before => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    store.disconnect(slot);
    result.map(|()| replayed)
}

/// Runs a command of the file.
fn run(store: &mut Store, slot: usize, args: &[&[u8]]) -> Result<(), String> {
    let next = store.execute(slot, args);
    let client = store.clients.get_mut(slot).ok_or("the file ends its own connection")?;
    let reply = client.take_output(Vec::new());
    if next != Next::GoOn {
        return Err("a command that does not belong into a file".to_owned());
    }
    // A command that fails fails in the same way as it did when it was written.
    let unknown = reply.starts_with(b"-ERR unknown command") || reply.starts_with(b"-NOAUTH");
    if unknown || reply.starts_with(b"-ERR wrong number of arguments") {
        return Err(String::from_utf8_lossy(&reply[1..]).trim_end().to_owned());
    }
    Ok(())
}
