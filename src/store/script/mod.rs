//! Scripts: `EVAL` in a Lua state of the store's own, on the store's thread.
//!
//! Invariants: a script sees nothing but its keys, its arguments and the store; it ends within its
//! time limit, and its Lua memory is bounded. What it had changed before it failed stays changed,
//! as in Redis.
//! Not here: which commands there are, and the states of game scripts, which this one never meets.

mod convert;
mod json;
mod json_read;
mod library;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value, Variadic};

use super::call::Call;
use super::client::Client;
use super::reply::{Answer, Failure, Reply};
use super::table::{self, DENYOOM, NOSCRIPT, WRITE};

/// Memory of all scripts together.
const MEMORY_LIMIT: usize = 64 << 20;
/// How often it is looked whether the time of a script is over.
const INSTRUCTIONS: u32 = 10_000;
/// Scripts that are kept; the next one makes all others be forgotten.
const SCRIPTS: usize = 10_000;
/// The name that errors give a script.
const CHUNK: &str = "@user_script";

/// The scripts of a store.
pub struct Scripts {
    lua: Lua,
    environment: Table,
    run: Function,
    /// Scripts by the SHA-1 of their text.
    known: RefCell<HashMap<String, Script>>,
}

#[derive(Clone)]
struct Script {
    function: Function,
    /// It has said that it writes nothing.
    read_only: bool,
}

/// Why a command of a script failed, on its way through Lua.
#[derive(Debug)]
struct Refused {
    text: Vec<u8>,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl std::error::Error for Refused {}

/// The script has run out of time: it cannot catch that.
#[derive(Debug)]
struct OutOfTime(u64);

impl fmt::Display for OutOfTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Script stopped after {} ms (lua-time-limit)", self.0)
    }
}

impl std::error::Error for OutOfTime {}

/// What a script of this name calls itself in errors.
pub fn digest(text: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A command of a script, as the script called it.
struct Work<'a, 'b> {
    call: &'a mut Call<'b>,
    client: Client,
    read_only: bool,
}

impl Scripts {
    /// A state without scripts.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, String> {
        Self::make().map_err(|error| format!("the Lua state of the store: {error}"))
    }

    fn make() -> mlua::Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(MEMORY_LIMIT)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let host = lua.create_table()?;
        host.set("caught", lua.create_function(library::caught)?)?;
        host.set("failure", lua.create_function(library::failure)?)?;
        host.set("seed", super::random::Random::new().below(1 << 31))?;
        let modules = lua.create_table()?;
        modules.set("cjson", library::cjson(&lua)?)?;
        modules.set("bit", library::bit(&lua)?)?;
        let redis = library::redis(&lua)?;
        modules.set("redis", &redis)?;
        let (environment, run): (Table, Function) = prelude.call((host, modules))?;
        lua.set_named_registry_value("redis", redis)?;
        Ok(Self { lua, environment, run, known: RefCell::default() })
    }

    /// Keeps a script; gives its digest.
    ///
    /// # Errors
    /// When it is no Lua.
    pub fn load(&self, text: &[u8]) -> Result<String, Failure> {
        let digest = digest(text);
        if self.knows(&digest) {
            return Ok(digest);
        }
        let (text, read_only) = shebang(text)?;
        let chunk = self.lua.load(text.as_slice()).set_name(CHUNK).set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.environment.clone());
        let function = chunk.into_function().map_err(|error| {
            let text = library::message(&error);
            Failure::of([b"ERR Error compiling script (new function): ", &*text].concat())
        })?;
        let mut known = self.known.borrow_mut();
        if known.len() >= SCRIPTS {
            known.clear();
        }
        known.insert(digest.clone(), Script { function, read_only });
        Ok(digest)
    }

    /// Whether it has a script with this digest.
    pub fn knows(&self, digest: &str) -> bool {
        self.known.borrow().contains_key(digest)
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        self.known.borrow_mut().clear();
    }

    /// Number of scripts.
    pub fn count(&self) -> usize {
        self.known.borrow().len()
    }

    /// Bytes that Lua uses.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Runs a script that is known.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub fn run(
        &self,
        call: &mut Call<'_>,
        digest: &str,
        keys: &[&[u8]],
        arguments: &[&[u8]],
        read_only: bool,
    ) -> Answer {
        let script = self.known.borrow().get(digest).cloned();
        let Some(script) = script else {
            return Err(Failure::new("NOSCRIPT No matching script. Please use EVAL."));
        };
        let limit = call.store.config.script_limit;
        let read_only = read_only || script.read_only;
        let client = Client::internal(call.db());
        let work = RefCell::new(Work { call, client, read_only });
        self.limit_time(limit).map_err(|error| broken(&error))?;
        let run = |args: &[Value]| {
            let mut work = work.try_borrow_mut().map_err(mlua::Error::external)?;
            Ok::<_, mlua::Error>(work.run(args))
        };
        let list = |items: &[&[u8]]| {
            let items: mlua::Result<Vec<_>> =
                items.iter().map(|item| self.lua.create_string(item)).collect();
            self.lua.create_sequence_from(items?)
        };
        let ran = self.lua.scope(|scope| {
            let redis: Table = self.lua.named_registry_value("redis")?;
            let call = scope.create_function(|lua, args: Variadic<Value>| {
                let reply = run(&args)?.map_err(|failure| {
                    mlua::Error::external(Refused { text: failure.text().to_vec() })
                })?;
                convert::to_lua(lua, &reply)
            })?;
            let pcall = scope.create_function(|lua, args: Variadic<Value>| {
                let reply = run(&args)?.unwrap_or_else(Reply::Error);
                convert::to_lua(lua, &reply)
            })?;
            redis.raw_set("call", call)?;
            redis.raw_set("pcall", pcall)?;
            let script = (script.function, list(keys)?, list(arguments)?);
            let (ok, value): (bool, Value) = self.run.call(script)?;
            Ok(if ok {
                convert::to_reply(&value, 0)
            } else {
                Err(convert::failure(&value, digest))
            })
        });
        self.lua.remove_hook();
        ran.unwrap_or_else(|error| Err(broken(&error)))
    }

    fn limit_time(&self, limit: u64) -> mlua::Result<()> {
        if limit == 0 {
            return Ok(());
        }
        let until = Instant::now() + Duration::from_millis(limit);
        let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        self.lua.set_hook(triggers, move |_, _| {
            if Instant::now() < until {
                return Ok(mlua::VmState::Continue);
            }
            Err(mlua::Error::external(OutOfTime(limit)))
        })
    }
}

/// Lua itself failed: there is no memory left for it.
fn broken(error: &mlua::Error) -> Failure {
    Failure::of([b"ERR Error running script: ", &*library::message(error)].concat())
}

/// Takes the first line off a script if it says how to run it; whether it writes nothing.
fn shebang(text: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
    if !text.starts_with(b"#!") {
        return Ok((text.to_vec(), false));
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(Failure::new("ERR Invalid script shebang"))?;
    let line = String::from_utf8_lossy(&text[..end]).into_owned();
    let mut words = line.split_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        return Err(Failure::of(format!("ERR Unexpected engine in script shebang: {engine}")));
    }
    let mut read_only = false;
    for word in words {
        let Some(flags) = word.strip_prefix("flags=") else {
            let text = format!("ERR Unknown lua shebang option: {word}");
            return Err(Failure::of(text));
        };
        for flag in flags.split(',') {
            match flag {
                "no-writes" => read_only = true,
                // There is nothing here that these would change.
                "allow-stale" | "no-cluster" | "allow-cross-slot-keys" | "allow-oom" => {}
                _ => {
                    return Err(Failure::of(format!(
                        "ERR Unexpected flag in script shebang: {flag}"
                    )));
                }
            }
        }
    }
    // The line stays, empty, for the numbers of the others.
    Ok((text[end..].to_vec(), read_only))
}

impl Work<'_, '_> {
    /// Runs a command.
    fn run(&mut self, args: &[Value]) -> Answer {
        let words: Option<Vec<Vec<u8>>> = args.iter().map(convert::argument).collect();
        let Some(words) = words else {
            let text = "ERR Lua redis lib command arguments must be strings or integers";
            return Err(Failure::new(text));
        };
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.command(&args)
    }

    fn command(&mut self, args: &[&[u8]]) -> Answer {
        let Some(name) = args.first() else {
            let text = "ERR Please specify at least one argument for this redis lib call";
            return Err(Failure::new(text));
        };
        let command = match table::resolve(args) {
            Ok(command) => command,
            Err(_) if table::find(name).is_some_and(|command| !command.takes(args.len())) => {
                let text = "ERR Wrong number of args calling Redis command from script";
                return Err(Failure::new(text));
            }
            Err(_) => {
                let text = "ERR Unknown Redis command called from script";
                return Err(Failure::new(text));
            }
        };
        if command.is(NOSCRIPT) {
            return Err(Failure::new("ERR This Redis command is not allowed from script"));
        }
        if command.is(WRITE) && self.read_only {
            let text = "ERR Write commands are not allowed from read-only scripts.";
            return Err(Failure::new(text));
        }
        let store = &mut *self.call.store;
        if let Some(failure) = store.file_refusal().filter(|_| command.is(WRITE)) {
            return Err(failure);
        }
        if command.is(DENYOOM) && store.is_full() {
            let text = "OOM command not allowed when used memory > 'maxmemory'.";
            return Err(Failure::new(text));
        }
        store.invoke(&mut self.client, command, args, false).0
    }
}
