//! Scripts.

use std::rc::Rc;

use crate::store::call::Call;
use crate::store::reply::{Answer, Failure, Reply};
use crate::store::table::{Command, Keys, MOVABLE, NOSCRIPT, READONLY, command, container};

const RUNS: u16 = NOSCRIPT | MOVABLE;
const KEYS: Keys = Keys::Counted(2);

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("eval", -3, RUNS, KEYS, |call| eval(call, false)),
    command("eval_ro", -3, RUNS | READONLY, KEYS, |call| eval(call, true)),
    command("evalsha", -3, RUNS, KEYS, |call| evalsha(call, false)),
    command("evalsha_ro", -3, RUNS | READONLY, KEYS, |call| evalsha(call, true)),
    container("script", PARTS),
];

const PARTS: &[Command] = &[
    command("script|load", 3, NOSCRIPT, Keys::None, load),
    command("script|exists", -3, NOSCRIPT, Keys::None, exists),
    command("script|flush", -2, NOSCRIPT, Keys::None, flush),
    command("script|kill", 2, NOSCRIPT, Keys::None, kill),
];

fn eval(call: &mut Call<'_>, read_only: bool) -> Answer {
    let count = key_count(call)?;
    let scripts = Rc::clone(&call.store.scripts);
    let digest = scripts.load(call.arg(1))?;
    let (keys, arguments) = call.rest(3).split_at(count);
    scripts.run(call, &digest, keys, arguments, read_only)
}

fn evalsha(call: &mut Call<'_>, read_only: bool) -> Answer {
    let count = key_count(call)?;
    let scripts = Rc::clone(&call.store.scripts);
    let digest = String::from_utf8_lossy(call.arg(1)).to_ascii_lowercase();
    let (keys, arguments) = call.rest(3).split_at(count);
    scripts.run(call, &digest, keys, arguments, read_only)
}

fn key_count(call: &Call<'_>) -> Result<usize, Failure> {
    const NEGATIVE: Failure = Failure::new("ERR Number of keys can't be negative");
    const TOO_MANY: Failure =
        Failure::new("ERR Number of keys can't be greater than number of args");
    let count = call.integer(2)?;
    if count > i64::try_from(call.args.len()).unwrap_or(i64::MAX) - 3 {
        return Err(TOO_MANY);
    }
    usize::try_from(count).map_err(|_| NEGATIVE)
}

fn load(call: &mut Call<'_>) -> Answer {
    Ok(Reply::bulk(call.store.scripts.load(call.arg(2))?))
}

fn exists(call: &mut Call<'_>) -> Answer {
    let known = |digest: &&[u8]| {
        let digest = String::from_utf8_lossy(digest).to_ascii_lowercase();
        Reply::truth(call.store.scripts.knows(&digest))
    };
    Ok(Reply::Array(call.rest(2).iter().map(known).collect()))
}

fn flush(call: &mut Call<'_>) -> Answer {
    match call.args.len() {
        2 => {}
        3 if call.is(2, "sync") || call.is(2, "async") => {}
        _ => return Err(Failure::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    call.store.scripts.flush();
    Ok(Reply::OK)
}

fn kill(_: &mut Call<'_>) -> Answer {
    // Commands run one after the other: none runs while this one does.
    Err(Failure::new("NOTBUSY No scripts in execution right now."))
}
