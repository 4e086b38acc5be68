//! The server: what it is, how it is set, what it can do.

use std::fmt::Write as _;

use crate::store::call::Call;
use crate::store::glob;
use crate::store::reply::{Answer, Failure, Reply, SYNTAX};
use crate::store::settings;
use crate::store::table::{self, ADMIN, Command, FAST, Keys, NOSCRIPT, command, container};

use super::connection::VERSION;

const ADMINISTERS: u16 = ADMIN | NOSCRIPT;

/// The commands of this file.
pub(super) const COMMANDS: &[Command] = &[
    command("time", 1, FAST, Keys::None, time),
    command("info", -1, 0, Keys::None, info),
    command("role", 1, NOSCRIPT | FAST, Keys::None, role),
    command("wait", 3, NOSCRIPT, Keys::None, wait),
    command("bgrewriteaof", 1, ADMINISTERS, Keys::None, bgrewriteaof),
    container("config", CONFIG),
    Command { arity: -1, run: list, ..container("command", PARTS) },
];

const CONFIG: &[Command] = &[
    command("config|get", -3, ADMINISTERS, Keys::None, config_get),
    command("config|set", -4, ADMINISTERS, Keys::None, config_set),
    command("config|resetstat", 2, ADMINISTERS, Keys::None, config_resetstat),
];

const PARTS: &[Command] = &[
    command("command|count", 2, 0, Keys::None, count),
    command("command|list", -2, 0, Keys::None, names),
    command("command|info", -2, 0, Keys::None, describe),
    command("command|docs", -2, 0, Keys::None, docs),
    command("command|getkeys", -4, 0, Keys::None, getkeys),
];

fn time(call: &mut Call<'_>) -> Answer {
    let now = call.store.clock.microseconds();
    Ok(Reply::strings([(now / 1_000_000).to_string(), (now % 1_000_000).to_string()]))
}

fn role(_: &mut Call<'_>) -> Answer {
    let none = Reply::Array(Vec::new());
    Ok(Reply::Array(vec![Reply::bulk("master"), Reply::Integer(0), none]))
}

fn wait(call: &mut Call<'_>) -> Answer {
    call.integer(1)?;
    let timeout = call
        .integer(2)
        .map_err(|_| Failure::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Failure::new("ERR timeout is negative"));
    }
    // No replica will ever say that it has got anything.
    Ok(Reply::Integer(0))
}

fn bgrewriteaof(call: &mut Call<'_>) -> Answer {
    if call.store.config.file.is_none() {
        return Err(Failure::new("ERR there is no append-only file (config key redis_file)"));
    }
    call.store.rewrite_wanted = true;
    Ok(Reply::Status("Background append only file rewriting started".into()))
}

/// The sections of `INFO`, in their order.
const SECTIONS: [&str; 5] = ["server", "clients", "memory", "persistence", "stats"];

fn info(call: &mut Call<'_>) -> Answer {
    let wanted: Vec<String> =
        call.rest(1).iter().map(|word| String::from_utf8_lossy(word).to_lowercase()).collect();
    let everything = |word: &String| matches!(&**word, "default" | "all" | "everything");
    let all = wanted.is_empty() || wanted.iter().any(everything);
    let mut text = String::new();
    for section in SECTIONS.into_iter().chain(["replication", "keyspace"]) {
        if all || wanted.iter().any(|word| word == section) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let name = section[..1].to_uppercase() + &section[1..];
            let _ = write!(text, "# {name}\r\n");
            describe_section(call, section, &mut text);
        }
    }
    Ok(Reply::Bulk(text.into_bytes()))
}

fn describe_section(call: &Call<'_>, section: &str, text: &mut String) {
    let store = &*call.store;
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = write!(text, "{name}:{value}\r\n");
    };
    match section {
        "server" => {
            line("redis_version", &VERSION);
            line("redis_mode", &"standalone");
            line("embedded_in", &concat!("node ", env!("CARGO_PKG_VERSION")));
            line("process_id", &std::process::id());
            line("tcp_port", &store.config.port);
            let up = store.clock.microseconds().saturating_sub(store.started) / 1_000_000;
            line("uptime_in_seconds", &up);
            line("uptime_in_days", &(up / 86_400));
        }
        "clients" => {
            let waiting = store.clients.iter().filter(|client| client.waiting.is_some()).count();
            line("connected_clients", &store.clients.count());
            line("maxclients", &store.config.maxclients);
            line("blocked_clients", &waiting);
        }
        "memory" => {
            line("used_memory", &store.keys.memory());
            line("used_memory_lua", &store.scripts.memory());
            line("number_of_cached_scripts", &store.scripts.count());
            line("maxmemory", &store.config.maxmemory);
            line("maxmemory_policy", &"noeviction");
        }
        "persistence" => {
            line("loading", &u8::from(store.keys.loading));
            line("aof_enabled", &u8::from(store.config.file.is_some()));
            if store.config.file.is_some() {
                line("aof_current_size", &store.file_size.0);
                line("aof_base_size", &store.file_size.1);
            }
        }
        "stats" => {
            line("total_connections_received", &store.connections);
            line("total_commands_processed", &store.commands);
            line("expired_keys", &store.keys.expired);
            line("keyspace_hits", &store.keys.hits.0);
            line("keyspace_misses", &store.keys.hits.1);
            line("pubsub_channels", &store.channels.names().count());
            line("pubsub_patterns", &store.channels.pattern_count());
        }
        "replication" => {
            line("role", &"master");
            line("connected_slaves", &0);
        }
        _ => {
            for number in 0..store.keys.count() {
                let db = store.keys.db(number);
                if !db.is_empty() {
                    let (keys, ending) = (db.len(), db.ending());
                    let ttl = db.mean_ttl(store.keys.now);
                    let shown = format!("keys={keys},expires={ending},avg_ttl={ttl}");
                    line(&format!("db{number}"), &shown);
                }
            }
        }
    }
}

fn config_get(call: &mut Call<'_>) -> Answer {
    let mut items = Vec::new();
    for (name, value) in settings::all(&call.store.config) {
        let wanted = |pattern: &&[u8]| glob::matches_any_case(pattern, name.as_bytes());
        if call.rest(2).iter().any(wanted) {
            items.extend([Reply::bulk(name), Reply::bulk(value)]);
        }
    }
    Ok(Reply::Array(items))
}

fn config_set(call: &mut Call<'_>) -> Answer {
    let pairs = call.rest(2);
    if !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX);
    }
    let mut config = call.store.config.clone();
    for pair in pairs.chunks_exact(2) {
        settings::set(&mut config, pair[0], pair[1])?;
    }
    call.store.config = config;
    Ok(Reply::OK)
}

fn config_resetstat(call: &mut Call<'_>) -> Answer {
    let store = &mut *call.store;
    (store.commands, store.connections) = (0, 0);
    (store.keys.hits, store.keys.expired) = ((0, 0), 0);
    Ok(Reply::OK)
}

/// What `COMMAND` says of a command.
fn entry(command: &Command) -> Reply {
    let number = |value: isize| Reply::Integer(i64::try_from(value).unwrap_or_default());
    let (first, last, step) = match command.keys {
        Keys::Range(first, last, step) => (first.cast_signed(), last, step.cast_signed()),
        Keys::Into(_) => (1, 1, 1),
        Keys::None | Keys::Counted(_) => (0, 0, 0),
    };
    let flags = command.flag_names().map(|name| Reply::Status(name.into())).collect();
    let none = || Reply::Array(Vec::new());
    Reply::Array(vec![
        Reply::bulk(command.name),
        number(command.arity),
        Reply::Array(flags),
        number(first),
        number(last),
        number(step),
        none(),
        none(),
        none(),
        Reply::Array(command.parts.iter().map(entry).collect()),
    ])
}

fn list(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(table::all().map(entry).collect()))
}

fn count(_: &mut Call<'_>) -> Answer {
    Ok(Reply::count(table::all().count()))
}

fn names(call: &mut Call<'_>) -> Answer {
    let pattern = match call.args.len() {
        2 => None,
        5 if call.is(2, "filterby") && call.is(3, "pattern") => Some(call.arg(4)),
        _ => return Err(SYNTAX),
    };
    let shown = |name: &&str| pattern.is_none_or(|p| glob::matches_any_case(p, name.as_bytes()));
    Ok(Reply::strings(table::all().map(|command| command.name).filter(shown)))
}

fn describe(call: &mut Call<'_>) -> Answer {
    if call.args.len() == 2 {
        return list(call);
    }
    let found = |name: &&[u8]| table::find(name).map_or(Reply::Nil, entry);
    Ok(Reply::Array(call.rest(2).iter().map(found).collect()))
}

/// Of each command how it is called; what it does is told by the documentation of Redis.
fn docs(call: &mut Call<'_>) -> Answer {
    let wanted = call.rest(2);
    let commands = table::all().filter(|command| {
        let name = command.name.as_bytes();
        wanted.is_empty() || wanted.iter().any(|word| word.eq_ignore_ascii_case(name))
    });
    let mut items = Vec::new();
    for command in commands {
        items.push(Reply::bulk(command.name));
        let summary = format!("see https://redis.io/commands/{}", command.name);
        items.push(Reply::strings(["summary", &*summary, "since", "", "group", "embedded"]));
    }
    Ok(Reply::Array(items))
}

fn getkeys(call: &mut Call<'_>) -> Answer {
    let args = call.rest(2);
    let command = table::find(args.first().copied().unwrap_or_default())
        .ok_or(Failure::new("ERR Invalid command specified"))?;
    if !command.takes(args.len()) {
        let text = "ERR Invalid number of arguments specified for command";
        return Err(Failure::new(text));
    }
    let places = command.key_places(args);
    if places.is_empty() {
        return Err(Failure::new("ERR The command has no key arguments"));
    }
    Ok(Reply::strings(places.into_iter().filter_map(|place| args.get(place))))
}
