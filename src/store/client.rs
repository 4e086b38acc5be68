//! A client: what a connection has said about itself, its transaction, and what is to be sent.
//!
//! Invariant: bytes to be sent are taken in order, and a client that must go gets nothing more.
//! Not here: the socket (`server/`).

use std::collections::BTreeSet;

use super::reply::Reply;

/// Bytes that may wait for a subscriber who takes nothing; then it is cut off, as by Redis.
pub const SUBSCRIBER_LIMIT: usize = 32 << 20;

/// Whether replies are sent (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// All of them.
    On,
    /// None.
    Off,
    /// None for the next command.
    SkipNext,
    /// None for this command.
    Skip,
}

/// A key that a client watches, as it found it.
#[derive(Debug)]
pub struct Watched {
    /// Its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// Its version then.
    pub version: u64,
}

/// A transaction between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands so far.
    pub queue: Vec<Vec<Box<[u8]>>>,
    /// Bytes of these.
    pub bytes: usize,
    /// A command was refused.
    pub broken: bool,
    /// One of the commands needs memory.
    pub grows: bool,
    /// One of the commands changes something.
    pub writes: bool,
}

/// What a client waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The keys.
    pub keys: Vec<Box<[u8]>>,
    /// What to do with the first one that has elements.
    pub wish: super::blocking::Wish,
    /// Milliseconds since 1970 when it gives up.
    pub until: Option<u64>,
}

/// A client.
pub struct Client {
    /// Its number.
    pub id: u64,
    /// Address of the other side, and our own.
    pub addresses: (String, String),
    /// Its name.
    pub name: Vec<u8>,
    /// Name and version of the library it uses.
    pub library: (Vec<u8>, Vec<u8>),
    /// The selected database.
    pub db: usize,
    /// It has given the password, or there is none.
    pub authenticated: bool,
    /// Milliseconds since 1970 when it came, and of its last command.
    pub times: (u64, u64),
    /// The last command.
    pub last: &'static str,
    /// Whether it gets replies.
    pub replies: Replies,
    /// The transaction it is in.
    pub transaction: Option<Transaction>,
    /// Keys it watches.
    pub watched: Vec<Watched>,
    /// Channels and patterns it listens to.
    pub channels: BTreeSet<Vec<u8>>,
    /// See `channels`.
    pub patterns: BTreeSet<Vec<u8>>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// It is to be closed once everything is sent.
    pub leaving: bool,
    /// It is to be closed at once.
    pub killed: bool,
    output: Vec<u8>,
    /// Bytes its connection has taken over and not yet sent.
    pub unsent: usize,
    wake: Box<dyn Fn()>,
}

impl Client {
    /// A client whose connection is told by `wake` that something has changed.
    pub fn new(id: u64, addresses: (String, String), now: u64, wake: Box<dyn Fn()>) -> Self {
        Self {
            id,
            addresses,
            name: Vec::new(),
            library: (Vec::new(), Vec::new()),
            db: 0,
            authenticated: false,
            times: (now, now),
            last: "NULL",
            replies: Replies::On,
            transaction: None,
            watched: Vec::new(),
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            waiting: None,
            leaving: false,
            killed: false,
            output: Vec::new(),
            unsent: 0,
            wake,
        }
    }

    /// A client without a connection, for scripts and files.
    pub fn internal(db: usize) -> Self {
        let mut client = Self::new(0, <(String, String)>::default(), 0, Box::new(|| ()));
        client.db = db;
        client.authenticated = true;
        client
    }

    /// True when it listens to a channel or a pattern, and so may do little else.
    pub fn subscribes(&self) -> bool {
        self.subscriptions() > 0
    }

    /// Number of channels and patterns.
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Sends the reply to its command.
    pub fn answer(&mut self, reply: &Reply) {
        let silent = matches!(self.replies, Replies::Off | Replies::Skip);
        if !silent && !self.killed {
            reply.write(&mut self.output);
        }
    }

    /// Sends what it did not ask for just now: a message, or the end of waiting.
    pub fn push(&mut self, reply: &Reply) {
        if self.killed || self.replies == Replies::Off {
            return;
        }
        reply.write(&mut self.output);
        if self.subscribes() && self.output.len() + self.unsent > SUBSCRIBER_LIMIT {
            self.kill();
        }
        self.wake();
    }

    /// Closes it at once.
    pub fn kill(&mut self) {
        self.killed = true;
        self.output = Vec::new();
        self.wake();
    }

    /// Tells its connection to look.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.output.len()
    }

    /// Takes what is to be sent; `empty` takes its place.
    pub fn take_output(&mut self, empty: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.output, empty)
    }
}
