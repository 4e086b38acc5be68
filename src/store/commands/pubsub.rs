//! Channels: listening and sending.

use crate::store::call::Call;
use crate::store::channels::Subject;
use crate::store::glob;
use crate::store::reply::{Answer, Failure, Reply};
use crate::store::table::{Command, FAST, Keys, NOSCRIPT, PUBSUB, command, container};

const LISTENS: u16 = PUBSUB | NOSCRIPT;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("subscribe", -2, LISTENS, Keys::None, |call| subscribe(call, Subject::Channel)),
    command("psubscribe", -2, LISTENS, Keys::None, |call| subscribe(call, Subject::Pattern)),
    command("unsubscribe", -1, LISTENS, Keys::None, |call| unsubscribe(call, Subject::Channel)),
    command("punsubscribe", -1, LISTENS, Keys::None, |call| unsubscribe(call, Subject::Pattern)),
    command("publish", 3, PUBSUB | FAST, Keys::None, publish),
    container("pubsub", PARTS),
];

const PARTS: &[Command] = &[
    command("pubsub|channels", -2, PUBSUB, Keys::None, channels),
    command("pubsub|numsub", -2, PUBSUB, Keys::None, numsub),
    command("pubsub|numpat", 2, PUBSUB, Keys::None, numpat),
];

fn notice(word: &str, name: Option<&[u8]>, count: usize) -> Reply {
    Reply::Array(vec![Reply::bulk(word), Reply::maybe(name), Reply::count(count)])
}

fn subscribe(call: &mut Call<'_>, subject: Subject) -> Answer {
    let mut replies = Vec::new();
    for name in call.rest(1) {
        let (own, word) = match subject {
            Subject::Channel => (&mut call.client.channels, "subscribe"),
            Subject::Pattern => (&mut call.client.patterns, "psubscribe"),
        };
        if own.insert(name.to_vec()) {
            call.store.channels.add(subject, name, call.store.current);
        }
        replies.push(notice(word, Some(name), call.client.subscriptions()));
    }
    Ok(Reply::Several(replies))
}

fn unsubscribe(call: &mut Call<'_>, subject: Subject) -> Answer {
    let word = match subject {
        Subject::Channel => "unsubscribe",
        Subject::Pattern => "punsubscribe",
    };
    let names: Vec<Vec<u8>> = match (call.rest(1), subject) {
        ([], Subject::Channel) => call.client.channels.iter().cloned().collect(),
        ([], Subject::Pattern) => call.client.patterns.iter().cloned().collect(),
        (names, _) => names.iter().map(|name| name.to_vec()).collect(),
    };
    if names.is_empty() {
        return Ok(notice(word, None, call.client.subscriptions()));
    }
    let mut replies = Vec::new();
    for name in names {
        let own = match subject {
            Subject::Channel => &mut call.client.channels,
            Subject::Pattern => &mut call.client.patterns,
        };
        if own.remove(&name) {
            call.store.channels.remove(subject, &name, call.store.current);
        }
        replies.push(notice(word, Some(&name), call.client.subscriptions()));
    }
    Ok(Reply::Several(replies))
}

fn publish(call: &mut Call<'_>) -> Answer {
    let (channel, message) = (call.arg(1), call.arg(2));
    Ok(Reply::count(call.store.publish(call.client, channel, message)))
}

fn channels(call: &mut Call<'_>) -> Answer {
    if call.args.len() > 3 {
        let part = String::from_utf8_lossy(call.arg(1)).into_owned();
        return Err(Failure::of(format!(
            "ERR unknown subcommand or wrong number of arguments for '{part}'. Try PUBSUB HELP."
        )));
    }
    let pattern = call.args.get(2);
    let names = call.store.channels.names();
    let shown = names.filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)));
    Ok(Reply::strings(shown))
}

fn numsub(call: &mut Call<'_>) -> Answer {
    let mut items = Vec::new();
    for name in call.rest(2) {
        items.extend([Reply::bulk(name), Reply::count(call.store.channels.listeners(name))]);
    }
    Ok(Reply::Array(items))
}

fn numpat(call: &mut Call<'_>) -> Answer {
    Ok(Reply::count(call.store.channels.pattern_count()))
}
