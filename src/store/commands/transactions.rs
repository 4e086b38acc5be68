//! Transactions: commands that run together, unless a watched key has changed.

use crate::store::Store;
use crate::store::call::Call;
use crate::store::client::{Client, Transaction, Watched};
use crate::store::reply::{Answer, Failure, Reply};
use crate::store::table::{self, ALL, Command, FAST, Keys, NOSCRIPT, command};

const CONTROL: u16 = NOSCRIPT | FAST;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("multi", 1, CONTROL, Keys::None, multi),
    command("exec", 1, NOSCRIPT, Keys::None, exec),
    command("discard", 1, CONTROL, Keys::None, discard),
    command("watch", -2, CONTROL, ALL, watch),
    command("unwatch", 1, CONTROL, Keys::None, unwatch),
];

fn multi(call: &mut Call<'_>) -> Answer {
    if call.client.transaction.is_some() {
        return Err(Failure::new("ERR MULTI calls can not be nested"));
    }
    call.client.transaction = Some(Transaction::default());
    Ok(Reply::OK)
}

fn exec(call: &mut Call<'_>) -> Answer {
    let Some(transaction) = call.client.transaction.take() else {
        return Err(Failure::new("ERR EXEC without MULTI"));
    };
    let changed = call.store.end_watching(call.client);
    if transaction.broken {
        return Err(Failure::new("EXECABORT Transaction discarded because of previous errors."));
    }
    if changed {
        return Ok(Reply::NilArray);
    }
    let mut replies = Vec::with_capacity(transaction.queue.len());
    for words in transaction.queue {
        let args: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
        let answer = match table::resolve(&args) {
            Ok(command) => call.store.invoke(call.client, command, &args, false).0,
            Err(failure) => Err(failure),
        };
        replies.push(answer.unwrap_or_else(Reply::Error));
    }
    Ok(Reply::Array(replies))
}

fn discard(call: &mut Call<'_>) -> Answer {
    if call.client.transaction.take().is_none() {
        return Err(Failure::new("ERR DISCARD without MULTI"));
    }
    call.store.end_watching(call.client);
    Ok(Reply::OK)
}

fn watch(call: &mut Call<'_>) -> Answer {
    if call.client.transaction.is_some() {
        return Err(Failure::new("ERR WATCH inside MULTI is not allowed"));
    }
    let db = call.db();
    for key in call.rest(1) {
        let known = |watched: &Watched| watched.db == db && *watched.key == **key;
        if call.client.watched.iter().any(known) {
            continue;
        }
        // A key that has ended already cannot end once more while it is watched.
        call.store.keys.contains(db, key);
        let version = call.store.keys.watch(db, key);
        call.client.watched.push(Watched { db, key: (*key).into(), version });
    }
    Ok(Reply::OK)
}

fn unwatch(call: &mut Call<'_>) -> Answer {
    call.store.end_watching(call.client);
    Ok(Reply::OK)
}

impl Store {
    /// Ends watching; true when a watched key has changed, or ended, since.
    pub fn end_watching(&mut self, client: &mut Client) -> bool {
        let mut changed = false;
        for watched in std::mem::take(&mut client.watched) {
            // One that has ended and that nobody has looked at goes away now, which is a change.
            self.keys.contains(watched.db, &watched.key);
            changed |= self.keys.unwatch(watched.db, &watched.key) != watched.version;
        }
        changed
    }
}
