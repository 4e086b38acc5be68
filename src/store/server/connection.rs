//! One connection: reads requests, has them run, sends what there is to send.
//!
//! Invariants: requests of a connection run in order, and a later one not before an earlier one has
//! got what it waits for; while much is unsent, nothing more is read.

use std::io;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Duration, sleep};

use super::Shared;
use crate::codec::resp::request::{Limits, Parser, Step};
use crate::store::Next;
use crate::store::reply::{Failure, Reply};

/// Bytes read at once.
const READ: usize = 16 * 1024;
/// Room that a connection keeps while it has nothing to do.
const KEPT: usize = 64 * 1024;
/// Replies in bytes after which a connection sends before it runs more of its requests.
const REPLIES: usize = 1 << 20;
/// Unsent bytes beyond which nothing more is read from a client that takes nothing.
const UNSENT: usize = 64 << 20;
/// Longest request in bytes, whatever its arguments are.
const REQUEST: usize = 1 << 30;
/// Requests of one connection that run before others get their turn.
const TURN: usize = 1024;

/// Why a connection goes on.
enum Event {
    Readable,
    Writable,
    Told,
    TimeOver,
}

struct Connection {
    shared: Rc<Shared>,
    slot: usize,
    input: Vec<u8>,
    /// Bytes at the start of `input` that belong to requests which have run.
    taken: usize,
    parser: Parser,
    output: Vec<u8>,
    sent: usize,
    waits: bool,
    leaves: bool,
    ended: bool,
}

/// Serves a connection to its end.
pub(super) async fn serve(shared: Rc<Shared>, socket: TcpStream, slot: usize, wake: Rc<Notify>) {
    let mut connection = Connection {
        shared: Rc::clone(&shared),
        slot,
        input: Vec::new(),
        taken: 0,
        parser: Parser::new(),
        output: Vec::new(),
        sent: 0,
        waits: false,
        leaves: false,
        ended: false,
    };
    // Whatever the reason is: the other side sees that the connection has ended.
    drop(socket.set_nodelay(true));
    drop(connection.run(&socket, &wake).await);
    shared.store.borrow_mut().disconnect(slot);
    shared.write_down();
}

impl Connection {
    async fn run(&mut self, socket: &TcpStream, wake: &Notify) -> io::Result<()> {
        loop {
            let more = self.process();
            if !self.shared.write_down() {
                return Ok(());
            }
            self.collect();
            self.send(socket)?;
            let unsent = self.output.len() - self.sent;
            if self.is_killed() || self.leaves && unsent == 0 {
                return Ok(());
            }
            if self.ended && unsent == 0 && !self.waits && !more {
                return Ok(());
            }
            if more && unsent < UNSENT {
                tokio::task::yield_now().await;
                continue;
            }
            let unread = self.input.len() - self.taken;
            if unread > REQUEST {
                return Ok(());
            }
            // Who waits has nothing to say, or only little of it is heard.
            let hears = !self.waits || unread < REPLIES;
            let reads = !self.leaves && !self.ended && unsent < UNSENT && hears;
            match self.next_event(socket, wake, reads, unsent > 0).await? {
                Event::Readable => self.read(socket)?,
                Event::Writable | Event::Told => {}
                Event::TimeOver => {
                    self.shared.store.borrow_mut().give_up(self.slot);
                }
            }
        }
    }

    /// Waits for something to do.
    async fn next_event(
        &self,
        socket: &TcpStream,
        wake: &Notify,
        reads: bool,
        writes: bool,
    ) -> io::Result<Event> {
        let left = self.time_left();
        tokio::select! {
            () = wake.notified() => Ok(Event::Told),
            ready = socket.readable(), if reads => ready.map(|()| Event::Readable),
            ready = socket.writable(), if writes => ready.map(|()| Event::Writable),
            () = sleep(left.unwrap_or_default()), if left.is_some() => Ok(Event::TimeOver),
        }
    }

    /// Time until the client gives up waiting.
    fn time_left(&self) -> Option<Duration> {
        if !self.waits {
            return None;
        }
        let mut store = self.shared.store.borrow_mut();
        let now = store.clock.milliseconds();
        let until = store.clients.get_mut(self.slot)?.waiting.as_ref()?.until?;
        Some(Duration::from_millis(until.saturating_sub(now)))
    }

    fn is_killed(&self) -> bool {
        let mut store = self.shared.store.borrow_mut();
        store.clients.get_mut(self.slot).is_none_or(|client| client.killed)
    }

    /// Runs requests; true when there may be more of them in what was read.
    fn process(&mut self) -> bool {
        let mut store = self.shared.store.borrow_mut();
        if self.waits {
            let client = store.clients.get_mut(self.slot);
            self.waits = client.is_some_and(|client| client.waiting.is_some());
        }
        for _ in 0..TURN {
            if self.waits || self.leaves {
                return false;
            }
            let Some(client) = store.clients.get_mut(self.slot) else { return false };
            if client.pending() > REPLIES {
                return true;
            }
            let trusted = client.authenticated;
            let bulk = store.config.bulk_limit;
            let limits = if trusted { Limits::trusted(bulk) } else { Limits::stranger(bulk) };
            let rest = &self.input[self.taken..];
            match self.parser.advance(rest, limits) {
                Ok(Step::More) => return false,
                Ok(Step::Nothing(length)) => self.taken += length,
                Ok(Step::Request(length)) => {
                    let args: Vec<&[u8]> = self.parser.arguments(rest).collect();
                    match store.execute(self.slot, &args) {
                        Next::GoOn => {}
                        Next::Wait => self.waits = true,
                        Next::Leave => self.leaves = true,
                    }
                    self.taken += length;
                }
                Err(malformed) => {
                    let failure = Failure::of(format!("ERR Protocol error: {malformed}"));
                    if let Some(client) = store.clients.get_mut(self.slot) {
                        client.answer(&Reply::Error(failure));
                    }
                    self.leaves = true;
                }
            }
        }
        true
    }

    /// Takes over what the client is to be sent.
    fn collect(&mut self) {
        let mut store = self.shared.store.borrow_mut();
        let Some(client) = store.clients.get_mut(self.slot) else { return };
        if client.pending() > 0 {
            if self.output.is_empty() {
                self.output = client.take_output(std::mem::take(&mut self.output));
            } else {
                let more = client.take_output(Vec::new());
                // Bytes move only when at least as many are gone.
                if self.sent > self.output.len() / 2 {
                    self.output.drain(..self.sent);
                    self.sent = 0;
                }
                self.output.extend_from_slice(&more);
            }
        }
        client.unsent = self.output.len() - self.sent;
    }

    /// Sends as much as the other side takes.
    fn send(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.sent < self.output.len() {
            match socket.try_write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.sent == self.output.len() {
            self.sent = 0;
            self.output.clear();
            if self.output.capacity() > KEPT {
                self.output = Vec::new();
            }
        }
        let mut store = self.shared.store.borrow_mut();
        if let Some(client) = store.clients.get_mut(self.slot) {
            client.unsent = self.output.len() - self.sent;
        }
        Ok(())
    }

    fn read(&mut self, socket: &TcpStream) -> io::Result<()> {
        self.input.drain(..self.taken);
        self.taken = 0;
        if self.input.is_empty() && self.input.capacity() > KEPT {
            self.input = Vec::new();
        }
        // A long argument is read in few pieces, and its room grows as it comes.
        let missing = self.parser.wanted().saturating_sub(self.input.len());
        self.input.reserve(missing.clamp(READ, REPLIES));
        match socket.try_read_buf(&mut self.input) {
            Ok(0) => {
                self.ended = true;
                // Nobody is there any more for whom something could be waited for.
                if self.waits {
                    self.leaves = true;
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
