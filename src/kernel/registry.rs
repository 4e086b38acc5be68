//! Registry: which service stands behind a handle, and which handle behind a name.
//!
//! Invariant: a handle or local name in the registry belongs to a service that is not retired;
//! the first registration of a name wins.
//! Global names (without a dot) hold messages that came before their owner.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::handle::{Handle, MAX_COUNTER};
use super::message::Message;
use super::service::Service;

/// Shards of the handle table; lookups by services on different workers then seldom meet.
const SHARDS: usize = 16;
/// Longest global name that counts; skynet cuts what is longer.
pub const GLOBAL_NAME: usize = 16;

/// Most messages kept for global names that nobody owns yet. A sender over it is told at once
/// instead of filling the node's memory.
pub const MAX_WAITING_FOR_NAME: usize = 65_536;
/// Most bytes of those messages.
pub const MAX_BYTES_WAITING_FOR_NAME: usize = 64 << 20;

type Shard = RwLock<HashMap<Handle, Arc<Service>>>;

/// All services of one node.
pub struct Registry {
    harbor: u8,
    counter: AtomicU32,
    shards: [Shard; SHARDS],
    names: RwLock<HashMap<Box<[u8]>, Handle>>,
    globals: Mutex<Globals>,
}

#[derive(Default)]
struct Globals {
    names: HashMap<Box<[u8]>, Global>,
    /// Messages that wait for names, and their bytes.
    waiting: usize,
    bytes: usize,
}

enum Global {
    Known(Handle),
    Awaited(Vec<Message>),
}

/// Where a message to a global name went.
pub enum Routed {
    /// The name has an owner; here is the message again, to be sent there.
    Owner(Handle, Message),
    /// The message waits for the name.
    Waiting {
        /// None has waited for it before.
        first: bool,
    },
    /// Too many wait for it already; here is the message again.
    Full(Message),
}

impl Registry {
    pub(super) fn new(harbor: u8) -> Self {
        Self {
            harbor,
            counter: AtomicU32::new(0),
            shards: std::array::from_fn(|_| RwLock::default()),
            names: RwLock::default(),
            globals: Mutex::default(),
        }
    }

    /// The node's own harbor id.
    pub const fn harbor(&self) -> u8 {
        self.harbor
    }

    fn shard(&self, handle: Handle) -> &Shard {
        &self.shards[handle.number() as usize % SHARDS]
    }

    /// Adds a service under a fresh handle. `None` when all 2^24 handles are in use.
    pub(super) fn add(&self, create: impl FnOnce(Handle) -> Arc<Service>) -> Option<Arc<Service>> {
        for _ in 0..=MAX_COUNTER {
            let counter = self.counter.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let Some(handle) = Handle::compose(self.harbor, counter) else { continue };
            let mut shard = self.shard(handle).write().unwrap_or_else(PoisonError::into_inner);
            if shard.contains_key(&handle) {
                continue;
            }
            let service = create(handle);
            shard.insert(handle, Arc::clone(&service));
            return Some(service);
        }
        None
    }

    /// The service behind a handle of this node.
    pub fn find(&self, handle: Handle) -> Option<Arc<Service>> {
        self.shard(handle).read().unwrap_or_else(PoisonError::into_inner).get(&handle).cloned()
    }

    /// Takes a service out together with its names; `None` when it is gone already.
    pub(super) fn remove(&self, handle: Handle) -> Option<Arc<Service>> {
        let service =
            self.shard(handle).write().unwrap_or_else(PoisonError::into_inner).remove(&handle)?;
        if service.named.load(Ordering::Acquire) {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            names.retain(|_, owner| *owner != handle);
        }
        Some(service)
    }

    /// Every service, in the order of their handles.
    pub fn services(&self) -> Vec<Arc<Service>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.read().unwrap_or_else(PoisonError::into_inner).values().cloned());
        }
        all.sort_by_key(|service| service.handle);
        all
    }

    /// The service with the lowest handle above `after`.
    pub fn next_service(&self, after: u32) -> Option<Arc<Service>> {
        let lowest = |shard: &Shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard
                .values()
                .filter(|service| service.handle.number() > after)
                .min_by_key(|service| service.handle)
                .cloned()
        };
        self.shards.iter().filter_map(lowest).min_by_key(|service| service.handle)
    }

    /// Gives `handle` a local name (without its dot); false when another service has it.
    pub fn name(&self, name: &[u8], handle: Handle) -> bool {
        if let Some(service) = self.find(handle) {
            service.named.store(true, Ordering::Release);
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.contains_key(name) {
            return false;
        }
        names.insert(name.into(), handle);
        true
    }

    /// The owner of a local name (without its dot).
    pub fn find_name(&self, name: &[u8]) -> Option<Handle> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Records the owner of a global name and hands out the messages that waited for it.
    pub fn set_global(&self, name: &[u8], owner: Handle) -> Vec<Message> {
        let mut globals = self.globals.lock().unwrap_or_else(PoisonError::into_inner);
        match globals.names.insert(name.into(), Global::Known(owner)) {
            Some(Global::Awaited(messages)) => {
                globals.waiting -= messages.len();
                globals.bytes -=
                    messages.iter().map(|message| message.payload.len()).sum::<usize>();
                messages
            }
            _ => Vec::new(),
        }
    }

    /// Routes a message to a global name.
    pub fn route_global(&self, name: &[u8], message: Message) -> Routed {
        let mut globals = self.globals.lock().unwrap_or_else(PoisonError::into_inner);
        let Globals { names, waiting, bytes } = &mut *globals;
        let full = *waiting >= MAX_WAITING_FOR_NAME || *bytes >= MAX_BYTES_WAITING_FOR_NAME;
        let mut first = false;
        match names.get_mut(name) {
            Some(Global::Known(owner)) => return Routed::Owner(*owner, message),
            _ if full => return Routed::Full(message),
            Some(Global::Awaited(messages)) => {
                *bytes += message.payload.len();
                messages.push(message);
            }
            None => {
                *bytes += message.payload.len();
                names.insert(name.into(), Global::Awaited(vec![message]));
                first = true;
            }
        }
        *waiting += 1;
        Routed::Waiting { first }
    }
}
