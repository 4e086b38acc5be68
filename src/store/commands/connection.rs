//! Who a client is, and what it may do first.

use crate::store::Store;
use crate::store::call::Call;
use crate::store::channels::Subject;
use crate::store::client::{Client, Replies};
use crate::store::reply::{Answer, Failure, NO_INTEGER, Reply, SYNTAX};
use crate::store::table::{Command, FAST, Keys, NO_AUTH, NOSCRIPT, command};

use super::keys::database;

const OPEN: u16 = NOSCRIPT | FAST | NO_AUTH;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("auth", -2, OPEN, Keys::None, auth),
    command("hello", -1, OPEN, Keys::None, hello),
    command("quit", -1, OPEN, Keys::None, quit),
    command("reset", 1, OPEN, Keys::None, reset),
    command("select", 2, FAST, Keys::None, select),
    command("ping", -1, FAST, Keys::None, ping),
    command("echo", 2, FAST, Keys::None, echo),
];

/// The version of Redis that replies are like.
pub(super) const VERSION: &str = "7.0.15";

const WRONG_PASSWORD: Failure =
    Failure::new("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: Failure = Failure::new(
    "ERR AUTH <password> called without any password configured for the default user. Are you \
     sure your configuration is correct?",
);
const UNKNOWN_CLIENT: Failure = Failure::new(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
     <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
     protocol version at the same time",
);
const NO_NAME: Failure =
    Failure::new("ERR Client names cannot contain spaces, newlines or special characters.");

/// Checks the password of a user; there is one, called `default`.
fn check(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Failure> {
    let right = match &call.store.config.password {
        None => true,
        Some(expected) => same(expected, password),
    };
    if user != b"default" || !right {
        return Err(WRONG_PASSWORD);
    }
    call.client.authenticated = true;
    Ok(())
}

/// Compares in a time that says nothing about where the difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}

fn auth(call: &mut Call<'_>) -> Answer {
    match call.args {
        [_, _] if call.store.config.password.is_none() => Err(NO_PASSWORD),
        [_, password] => check(call, b"default", password).map(|()| Reply::OK),
        [_, user, password] => check(call, user, password).map(|()| Reply::OK),
        _ => Err(SYNTAX),
    }
}

fn hello(call: &mut Call<'_>) -> Answer {
    if call.args.len() > 1 {
        let version = call
            .integer(1)
            .map_err(|_| Failure::new("ERR Protocol version is not an integer or out of range"))?;
        if version != 2 {
            return Err(Failure::new("NOPROTO unsupported protocol version"));
        }
    }
    let mut name = None;
    let mut at = 2;
    while at < call.args.len() {
        let left = call.args.len() - at - 1;
        if call.is(at, "auth") && left >= 2 {
            check(call, call.arg(at + 1), call.arg(at + 2))?;
            at += 2;
        } else if call.is(at, "setname") && left >= 1 {
            name = Some(call.arg(at + 1));
            at += 1;
        } else {
            let option = String::from_utf8_lossy(call.arg(at)).into_owned();
            return Err(Failure::of(format!("ERR Syntax error in HELLO option '{option}'")));
        }
        at += 1;
    }
    if !call.client.authenticated {
        return Err(UNKNOWN_CLIENT);
    }
    if let Some(name) = name {
        set_name(call, name)?;
    }
    let id = i64::try_from(call.client.id).unwrap_or(i64::MAX);
    Ok(Reply::Array(vec![
        Reply::bulk("server"),
        Reply::bulk("redis"),
        Reply::bulk("version"),
        Reply::bulk(VERSION),
        Reply::bulk("proto"),
        Reply::Integer(2),
        Reply::bulk("id"),
        Reply::Integer(id),
        Reply::bulk("mode"),
        Reply::bulk("standalone"),
        Reply::bulk("role"),
        Reply::bulk("master"),
        Reply::bulk("modules"),
        Reply::Array(Vec::new()),
    ]))
}

/// Gives the client a name.
///
/// # Errors
/// When it would not fit into a line of `CLIENT LIST`.
pub(super) fn set_name(call: &mut Call<'_>, name: &[u8]) -> Result<(), Failure> {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(NO_NAME);
    }
    call.client.name = name.to_vec();
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Answer {
    call.client.leaving = true;
    Ok(Reply::OK)
}

fn reset(call: &mut Call<'_>) -> Answer {
    let slot = call.store.current;
    call.store.forget(slot, call.client);
    call.client.db = 0;
    call.client.name.clear();
    call.client.replies = Replies::On;
    call.client.authenticated = call.store.config.password.is_none();
    Ok(Reply::Status("RESET".into()))
}

fn select(call: &mut Call<'_>) -> Answer {
    call.client.db = database(call, 1, NO_INTEGER)?;
    Ok(Reply::OK)
}

fn ping(call: &mut Call<'_>) -> Answer {
    if call.args.len() > 2 {
        return Err(call.arity());
    }
    if call.client.subscribes() {
        return Ok(Reply::strings([b"pong", call.arg(1)]));
    }
    Ok(call.args.get(1).map_or(Reply::Status("PONG".into()), Reply::bulk))
}

fn echo(call: &mut Call<'_>) -> Answer {
    Ok(Reply::bulk(call.arg(1)))
}

impl Store {
    /// Ends everything that a client has begun: its transaction, what it watches, listens to and
    /// waits for.
    pub(in crate::store) fn forget(&mut self, slot: usize, client: &mut Client) {
        client.transaction = None;
        self.end_watching(client);
        for channel in std::mem::take(&mut client.channels) {
            self.channels.remove(Subject::Channel, &channel, slot);
        }
        for pattern in std::mem::take(&mut client.patterns) {
            self.channels.remove(Subject::Pattern, &pattern, slot);
        }
        if let Some(waiting) = client.waiting.take() {
            for key in waiting.keys {
                self.keys.leave_key(client.db, &key, slot);
            }
        }
    }
}
