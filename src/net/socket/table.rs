//! The sockets of a node by their numbers, and how many each service has.
//!
//! Invariant: a socket is in the table from its creation until its descriptor is closed, and
//! counts with its owner for exactly as long.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;

use super::one::{Mode, Owner, Phase, Socket, SocketId};
use crate::kernel::{Handle, Node};
use crate::net::io::Io;

/// Settings of a node's sockets.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Small writes go out at once.
    pub nodelay: bool,
    /// Bytes that may wait to be sent on one socket.
    pub send_limit: usize,
}

/// The sockets of a node.
pub struct Sockets {
    pub(super) options: SocketOptions,
    io: Arc<Io>,
    runtime: OnceLock<Runtime>,
    last: AtomicI32,
    all: RwLock<HashMap<i32, Arc<Socket>>>,
    counts: Mutex<HashMap<Handle, usize>>,
}

/// Why a socket could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The system says no.
    System(io::Error),
    /// The policy refuses this address.
    Refused(SocketAddr),
    /// The service has as many as it may.
    TooMany(usize),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => formatter.write_str(&super::connect::text_of(error)),
            Self::Refused(address) => write!(formatter, "the sandbox refuses {address}"),
            Self::TooMany(limit) => {
                write!(formatter, "too many sockets: the limit is {limit} (sandbox.toml: sockets)")
            }
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Sockets {
    /// No sockets yet.
    pub fn new(io: Arc<Io>, options: SocketOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            io,
            runtime: OnceLock::new(),
            last: AtomicI32::new(0),
            all: RwLock::default(),
            counts: Mutex::default(),
        })
    }

    /// The I/O.
    pub(super) fn runtime(&self) -> io::Result<Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.clone());
        }
        let runtime = self.io.handle()?;
        Ok(self.runtime.get_or_init(|| runtime).clone())
    }

    /// The socket with this number.
    pub fn get(&self, id: SocketId) -> Option<Arc<Socket>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(&id.0).map(Arc::clone)
    }

    /// Every socket, in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<Socket>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut sockets: Vec<Arc<Socket>> = all.values().map(Arc::clone).collect();
        drop(all);
        sockets.sort_unstable_by_key(|socket| socket.id.0);
        sockets
    }

    pub(super) fn add(
        self: &Arc<Self>,
        node: &Arc<Node>,
        owner: Owner,
        mode: Mode,
        phase: Phase,
    ) -> Result<Arc<Socket>, OpenError> {
        self.count_in(&owner).map_err(OpenError::TooMany)?;
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Numbers go round, passing over those in use, so that one is not used again soon.
            let id = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & i32::MAX;
            if id > 0 && !all.contains_key(&id) {
                let socket = Socket::new(self, node, SocketId(id), owner, mode, phase);
                let socket = Arc::new(socket);
                all.insert(id, Arc::clone(&socket));
                return Ok(socket);
            }
        }
    }

    /// Takes a socket out whose descriptor is closed.
    pub(super) fn forget(&self, socket: &Socket) {
        let removed = self.all.write().unwrap_or_else(PoisonError::into_inner).remove(&socket.id.0);
        if removed.is_some()
            && let Some(owner) = socket.lock().owner.as_ref().map(|owner| owner.service.handle)
        {
            self.count_out(owner);
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Handle, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a socket of `owner`; its limit when it has as many as it may.
    pub(super) fn count_in(&self, owner: &Owner) -> Result<(), usize> {
        let mut counts = self.counts();
        let count = counts.entry(owner.service.handle).or_default();
        if let Some(limit) = owner.sockets.filter(|limit| *count >= *limit) {
            if *count == 0 {
                counts.remove(&owner.service.handle);
            }
            return Err(limit);
        }
        *count += 1;
        Ok(())
    }

    /// Counts a connection of another kind among the sockets of `owner`, until it is dropped.
    ///
    /// # Errors
    /// The limit, when the owner has as many as it may.
    pub fn count(self: &Arc<Self>, owner: &Owner) -> Result<Counted, usize> {
        self.count_in(owner)?;
        Ok(Counted { sockets: Arc::clone(self), owner: owner.service.handle })
    }

    pub(super) fn count_out(&self, owner: Handle) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&owner);
            }
        }
    }

    /// Closes every socket of a service that has ended. What it has written still goes out.
    pub fn service_ended(&self, service: Handle) {
        if !self.counts().contains_key(&service) {
            return;
        }
        for socket in self.all() {
            let is_its = {
                let state = socket.lock();
                state.owner.as_ref().is_some_and(|owner| owner.service.handle == service)
            };
            if is_its {
                socket.close(ABANDONED_LINGER);
            }
        }
    }
}

/// A connection that counts among the sockets of a service.
pub struct Counted {
    sockets: Arc<Sockets>,
    owner: Handle,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.sockets.count_out(self.owner);
    }
}

/// How long a peer may take nothing before what a service that has ended had written is dropped.
const ABANDONED_LINGER: Duration = Duration::from_secs(10);
