//! The embedded store: what a Redis server does, inside this process, for one node and for
//! development.
//!
//! A single-writer structure on a thread of its own (`server/`): commands run one after the other
//! and are pure changes of `Store`. Its connections are tasks on that thread.
//!
//! Invariants: replies, errors and their order are those of Redis 7.0, as far as a command is there
//! at all; no game worker ever waits for the store.
//! Not here: clients of a Redis server, replication, streams, cluster.

pub mod aof;
pub mod blocking;
pub mod call;
pub mod channels;
pub mod client;
pub mod clients;
pub mod clock;
mod commands;
pub mod config;
pub mod execute;
mod extended;
mod glob;
pub mod journal;
pub mod keyspace;
pub mod number;
mod random;
pub mod reply;
pub mod script;
pub mod server;
mod settings;
pub mod table;
pub mod value;

use std::rc::Rc;

pub use clock::Clock;
pub use config::{Config, Fsync};
pub use execute::Next;
pub use server::Server;

use channels::Channels;
use client::Client;
use clients::Clients;
use config::DATABASES;
use journal::Journal;
use keyspace::Keyspace;
use reply::Failure;

/// The store.
pub struct Store {
    /// Its time.
    pub clock: Clock,
    /// The databases.
    pub keys: Keyspace,
    /// The clients.
    pub clients: Clients,
    /// Who listens to what.
    pub channels: Channels,
    /// Settings.
    pub config: Config,
    /// Changes for the file.
    pub journal: Journal,
    /// Scripts.
    pub scripts: Rc<script::Scripts>,
    /// Slot of the client whose command runs.
    current: usize,
    /// Commands and connections so far.
    pub commands: u64,
    /// See `commands`.
    pub connections: u64,
    /// Microseconds since 1970 when it started.
    pub started: u64,
    /// Somebody asked for the file to be rewritten.
    pub rewrite_wanted: bool,
    /// Why the file takes nothing, while it does not; then nothing may be changed.
    pub file_failure: Option<String>,
    /// Size of the file, and what it was after the last rewrite.
    pub file_size: (u64, u64),
    /// Where it says what it has to say.
    pub log: Option<server::Log>,
    random: random::Random,
}

impl Store {
    /// An empty store.
    ///
    /// # Errors
    /// When there is no memory for its Lua state.
    pub fn new(config: Config, clock: Clock) -> Result<Self, String> {
        let started = clock.microseconds();
        Ok(Self {
            keys: Keyspace::new(DATABASES),
            clients: Clients::default(),
            channels: Channels::default(),
            journal: Journal::default(),
            scripts: Rc::new(script::Scripts::new()?),
            current: usize::MAX,
            commands: 0,
            connections: 0,
            started,
            rewrite_wanted: false,
            file_failure: None,
            file_size: (0, 0),
            log: None,
            random: random::Random::new(),
            clock,
            config,
        })
    }

    /// A connection has come; gives its slot. `wake` is called when something has changed for it.
    ///
    /// # Errors
    /// When there are too many.
    pub fn connect(
        &mut self,
        addresses: (String, String),
        wake: Box<dyn Fn()>,
    ) -> Result<usize, Failure> {
        self.connections += 1;
        if self.clients.count() >= self.config.maxclients {
            return Err(Failure::new("ERR max number of clients reached"));
        }
        let id = self.clients.new_id();
        let mut client = Client::new(id, addresses, self.clock.milliseconds(), wake);
        client.authenticated = self.config.password.is_none();
        Ok(self.clients.add(client))
    }

    /// A connection has ended.
    pub fn disconnect(&mut self, slot: usize) {
        if let Some(mut client) = self.clients.remove(slot) {
            self.forget(slot, &mut client);
        }
    }
}
