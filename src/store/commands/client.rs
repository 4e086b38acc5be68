//! `CLIENT`: the clients and their names.

use crate::store::call::Call;
use crate::store::client::{Client, Replies};
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::table::{ADMIN, Command, Keys, NOSCRIPT, command, container};

use super::connection::set_name;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[container("client", PARTS)];

const PARTS: &[Command] = &[
    command("client|id", 2, NOSCRIPT, Keys::None, id),
    command("client|getname", 2, NOSCRIPT, Keys::None, getname),
    command("client|setname", 3, NOSCRIPT, Keys::None, setname),
    command("client|setinfo", 4, NOSCRIPT, Keys::None, setinfo),
    command("client|info", 2, NOSCRIPT, Keys::None, info),
    command("client|list", -2, ADMIN | NOSCRIPT, Keys::None, list),
    command("client|reply", 3, NOSCRIPT, Keys::None, reply),
    command("client|kill", -3, ADMIN | NOSCRIPT, Keys::None, kill),
    command("client|unblock", -3, ADMIN | NOSCRIPT, Keys::None, unblock),
];

const NO_CLIENT: Failure = Failure::new("ERR No such client");

fn id(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Integer(i64::try_from(call.client.id).unwrap_or(i64::MAX)))
}

fn getname(call: &mut Call<'_>) -> Answer {
    let name = &call.client.name;
    Ok(if name.is_empty() { Reply::Nil } else { Reply::bulk(name) })
}

fn setname(call: &mut Call<'_>) -> Answer {
    set_name(call, call.arg(2))?;
    Ok(Reply::OK)
}

fn setinfo(call: &mut Call<'_>) -> Answer {
    let (attribute, value) = (call.arg(2), call.arg(3));
    if !value.iter().all(u8::is_ascii_graphic) {
        let name = String::from_utf8_lossy(attribute).to_lowercase();
        let text = format!("ERR {name} cannot contain spaces, newlines or special characters.");
        return Err(Failure::of(text));
    }
    if call.is(2, "lib-name") {
        call.client.library.0 = value.to_vec();
    } else if call.is(2, "lib-ver") {
        call.client.library.1 = value.to_vec();
    } else {
        let name = String::from_utf8_lossy(attribute);
        return Err(Failure::of(format!("ERR Unrecognized option '{name}'")));
    }
    Ok(Reply::OK)
}

/// What is known of a client, in a line.
fn line(client: &Client, now: u64) -> Vec<u8> {
    let kind = match (client.subscribes(), client.transaction.is_some(), &client.waiting) {
        (true, ..) => "P",
        (_, true, _) => "x",
        (_, _, Some(_)) => "b",
        _ => "N",
    };
    let queued = client.transaction.as_ref().map(|transaction| transaction.queue.len().to_string());
    let multi = queued.unwrap_or_else(|| "-1".to_owned());
    let seconds = |since: u64| now.saturating_sub(since) / 1000;
    let Client { id, addresses, db, name, .. } = client;
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "id={id} addr={} laddr={} name={} age={} idle={} flags={kind} db={db} sub={} psub={} ssub=0 \
         multi={multi} omem={} cmd={} user=default redir=-1 resp=2 lib-name={} lib-ver={}\n",
        addresses.0,
        addresses.1,
        shown(name),
        seconds(client.times.0),
        seconds(client.times.1),
        client.channels.len(),
        client.patterns.len(),
        client.pending() + client.unsent,
        client.last,
        shown(&client.library.0),
        shown(&client.library.1),
    )
    .into_bytes()
}

fn info(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Bulk(line(call.client, call.store.keys.now)))
}

fn list(call: &mut Call<'_>) -> Answer {
    let mut kind = None;
    let mut ids: Option<Vec<i64>> = None;
    match call.args.len() {
        2 => {}
        4 if call.is(2, "type") => kind = Some(subscribers(call.arg(3))?),
        _ if call.args.len() > 3 && call.is(2, "id") => {
            let number = |at| call.integer(at).map_err(|_| Failure::new("ERR Invalid client ID"));
            ids = Some((3..call.args.len()).map(number).collect::<Result<_, _>>()?);
        }
        _ => return Err(SYNTAX),
    }
    let now = call.store.keys.now;
    let mut clients: Vec<&Client> = call.store.clients.iter().collect();
    clients.push(call.client);
    clients.sort_by_key(|client| client.id);
    let shown = |client: &&Client| {
        let id = i64::try_from(client.id).unwrap_or(i64::MAX);
        kind.is_none_or(|kind| kind == client.subscribes())
            && ids.as_ref().is_none_or(|ids| ids.contains(&id))
    };
    let lines = clients.into_iter().filter(shown).flat_map(|client| line(client, now));
    Ok(Reply::Bulk(lines.collect()))
}

/// Whether a type of clients is that of subscribers.
fn subscribers(kind: &[u8]) -> Result<bool, Failure> {
    match &*kind.to_ascii_lowercase() {
        b"normal" => Ok(false),
        b"pubsub" => Ok(true),
        _ => {
            let kind = String::from_utf8_lossy(kind);
            Err(Failure::of(format!("ERR Unknown client type '{kind}'")))
        }
    }
}

fn reply(call: &mut Call<'_>) -> Answer {
    let (replies, answer) = match &*call.arg(2).to_ascii_lowercase() {
        b"on" => (Replies::On, Reply::OK),
        b"off" => (Replies::Off, Reply::NOTHING),
        // The answer that is left out here marks the next one.
        b"skip" if call.client.replies == Replies::On => (Replies::SkipNext, Reply::NOTHING),
        b"skip" => (call.client.replies, Reply::NOTHING),
        _ => return Err(SYNTAX),
    };
    call.client.replies = replies;
    Ok(answer)
}

#[derive(Default)]
struct Victims<'a> {
    id: Option<u64>,
    address: Option<&'a [u8]>,
    own_address: Option<&'a [u8]>,
    subscribers: Option<bool>,
    spares_caller: bool,
}

impl Victims<'_> {
    fn has(&self, client: &Client) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.address.is_none_or(|address| address == client.addresses.0.as_bytes())
            && self.own_address.is_none_or(|address| address == client.addresses.1.as_bytes())
            && self.subscribers.is_none_or(|kind| kind == client.subscribes())
    }
}

fn victims<'a>(call: &Call<'a>) -> Result<Victims<'a>, Failure> {
    let mut victims = Victims { spares_caller: true, ..Victims::default() };
    if call.args.len().is_multiple_of(2) {
        for at in (2..call.args.len()).step_by(2) {
            let value = call.arg(at + 1);
            match &*call.arg(at).to_ascii_lowercase() {
                b"id" => {
                    let id = call.integer(at + 1).ok().and_then(|id| u64::try_from(id).ok());
                    let id = id.filter(|id| *id > 0);
                    let text = "ERR client-id should be greater than 0";
                    victims.id = Some(id.ok_or(Failure::new(text))?);
                }
                b"addr" => victims.address = Some(value),
                b"laddr" => victims.own_address = Some(value),
                b"type" => victims.subscribers = Some(subscribers(value)?),
                b"skipme" if call.is(at + 1, "yes") => victims.spares_caller = true,
                b"skipme" if call.is(at + 1, "no") => victims.spares_caller = false,
                _ => return Err(SYNTAX),
            }
        }
        return Ok(victims);
    }
    Err(SYNTAX)
}

fn kill(call: &mut Call<'_>) -> Answer {
    let by_address = call.args.len() == 3;
    let victims = if by_address {
        Victims { address: Some(call.arg(2)), ..Victims::default() }
    } else {
        victims(call)?
    };
    let mut count = 0;
    for (_, client) in call.store.clients.iter_mut().filter(|(_, client)| victims.has(client)) {
        client.kill();
        count += 1;
    }
    if !victims.spares_caller && victims.has(call.client) {
        // It still learns how many there were.
        call.client.leaving = true;
        count += 1;
    }
    match (by_address, count) {
        (true, 0) => Err(NO_CLIENT),
        (true, _) => Ok(Reply::OK),
        (false, _) => Ok(Reply::count(count)),
    }
}

fn unblock(call: &mut Call<'_>) -> Answer {
    let with_error = match call.args.len() {
        3 => false,
        4 if call.is(3, "timeout") => false,
        4 if call.is(3, "error") => true,
        4 => return Err(Failure::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(SYNTAX),
    };
    let id = u64::try_from(call.integer(2)?).unwrap_or(0);
    let is_meant = |client: &Client| client.id == id && client.waiting.is_some();
    let found = call.store.clients.iter_mut().find(|(_, client)| is_meant(client));
    let found = found.map(|(slot, _)| slot);
    let Some(slot) = found else { return Ok(Reply::Integer(0)) };
    if with_error {
        let text = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
        call.store.end_waiting(slot, &Reply::Error(Failure::new(text)));
    } else {
        call.store.give_up(slot);
    }
    Ok(Reply::Integer(1))
}
