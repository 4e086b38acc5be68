//! Cluster: services of other nodes, reached over skynet's wire.
//!
//! A `Link` is the one connection to a peer that this node calls; an `Agent` is one connection of
//! a peer that calls this node. Both are native services: what local services send them waits in
//! their mailboxes, in order, and goes out batched; what arrives is delivered by the task that reads it
//! straight into the mailbox of whoever is meant.
//!
//! Invariant: every request taken up is answered once, by the peer's answer or by an error, also
//! when its connection, its service or the node ends.
//! Not here: reading `clustername.lua`, the `clusterd` service, Lua.

mod agent;
mod batch;
mod caller;
mod connect;
mod deadlines;
mod framed;
mod inbound;
mod link;
mod listener;
mod nodes;
mod proxy;
pub mod request;
pub mod secure;
mod settings;
mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;

use crate::codec::seri;
use crate::kernel::{Handle, Kind, Message, Node, Payload, Service, Session};
use crate::net::Io;
use link::Link;
use nodes::Names;

pub use listener::ListenError;
pub use nodes::Target;
pub use secure::{Security, TlsFiles};
pub use settings::Settings;

/// Most peers that a node can know; names of nodes may come from scripts.
pub const MOST_LINKS: usize = 1 << 14;

/// What makes a call fail before it can be sent, as the payload of the error message that its
/// caller gets: the peer cannot be reached now. Without it the call was lost on its way.
pub const UNREACHABLE: &[u8] = b"unreachable";

/// Time for a peer to take the last answers when a connection is closed in order.
const LINGER: Duration = Duration::from_secs(2);

/// Why there is no link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    /// As many as there may be exist.
    #[error("this node has {MOST_LINKS} cluster links, which is the limit")]
    TooMany,
    /// The node cannot launch services any more.
    #[error("the node launches no service any more")]
    Ending,
}

/// The cluster as one node sees it.
pub struct Cluster {
    io: Arc<Io>,
    settings: Settings,
    targets: RwLock<HashMap<Box<str>, Target>>,
    links: RwLock<HashMap<Box<str>, Arc<Link>>>,
    proxies: Mutex<HashMap<proxy::Key, Handle>>,
    names: RwLock<Names>,
    /// Nodes without an address are refused instead of waited for.
    nowaiting: AtomicBool,
    /// The service that finds out where nodes are, zero without one.
    finder: AtomicU32,
    /// Connections of peers.
    agents: AtomicUsize,
}

impl Cluster {
    /// A cluster of which nothing is known yet.
    pub fn new(io: Arc<Io>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            io,
            settings,
            targets: RwLock::default(),
            links: RwLock::default(),
            proxies: Mutex::default(),
            names: RwLock::default(),
            nowaiting: AtomicBool::new(false),
            finder: AtomicU32::new(0),
            agents: AtomicUsize::new(0),
        })
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether calls to a node without an address fail at once instead of waiting for one.
    /// Those that wait already fail too.
    pub fn set_nowaiting(&self, local: &Node, nowaiting: bool) {
        self.nowaiting.store(nowaiting, Ordering::SeqCst);
        let links: Vec<_> = {
            let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
            links.values().cloned().collect()
        };
        links.iter().for_each(|link| link.post(local, link::Event::Retarget));
    }

    fn is_nowaiting(&self) -> bool {
        self.nowaiting.load(Ordering::SeqCst)
    }

    /// Says which service finds out where nodes are, if any. It gets a request `find` with the name
    /// from each link that does not know, and says it by `set_target`.
    pub fn set_finder(&self, finder: Option<Handle>) {
        self.finder.store(finder.map_or(0, Handle::number), Ordering::SeqCst);
    }

    /// Asks that service where `node` is; false when there is none.
    fn ask_finder(&self, local: &Node, from: Handle, node: &str) -> bool {
        let Some(finder) = Handle::new(self.finder.load(Ordering::SeqCst)) else { return false };
        let mut packed = Vec::new();
        // Names come from strings of scripts, which are shorter than what can be packed.
        let _ = seri::put_string(&mut packed, b"find");
        let _ = seri::put_string(&mut packed, node.as_bytes());
        let payload = Payload::from_vec(packed);
        let ask = Message { source: Some(from), session: Session::NONE, kind: Kind::LUA, payload };
        local.send_to(finder, ask).is_ok()
    }

    /// Where a node is; `None` when nobody has said.
    pub fn target(&self, node: &str) -> Option<Target> {
        self.targets.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// Says where a node is. A link to another place moves.
    pub fn set_target(&self, local: &Node, node: &str, target: Target) {
        let changed = {
            let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
            targets.insert(node.into(), target.clone()).as_ref() != Some(&target)
        };
        let links = || self.links.read().unwrap_or_else(PoisonError::into_inner);
        if changed && let Some(link) = { links().get(node).cloned() } {
            link.post(local, link::Event::Retarget);
        }
    }

    /// The service that carries requests to a node.
    ///
    /// # Errors
    /// When it cannot be launched.
    pub fn link(
        self: &Arc<Self>,
        local: &Arc<Node>,
        node: &str,
    ) -> Result<Arc<Service>, LinkError> {
        let usable = |link: &Arc<Link>| {
            let service = link.service();
            (!service.is_retired()).then(|| Arc::clone(service))
        };
        {
            let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(service) = links.get(node).and_then(usable) {
                return Ok(service);
            }
        }
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = links.get(node).and_then(usable) {
            return Ok(service);
        }
        if links.len() >= MOST_LINKS {
            return Err(LinkError::TooMany);
        }
        let link = caller::launch(self, local, node).map_err(|_| LinkError::Ending)?;
        let service = Arc::clone(link.service());
        links.insert(node.into(), link);
        Ok(service)
    }

    /// The services that carry requests, by node.
    pub fn links(&self) -> Vec<(Box<str>, Handle)> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> =
            links.iter().map(|(node, link)| (node.clone(), link.service().handle)).collect();
        all.sort();
        all
    }

    /// The local service that stands for an address of another node.
    ///
    /// # Errors
    /// When it cannot be launched.
    pub fn proxy(
        self: &Arc<Self>,
        local: &Arc<Node>,
        node: &str,
        to: crate::codec::cluster::Address<'_>,
    ) -> Result<Handle, LinkError> {
        let mut proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        let key = proxy::Key::new(node, to);
        if let Some(handle) = proxies.get(&key)
            && local.registry.find(*handle).is_some()
        {
            return Ok(*handle);
        }
        if proxies.len() >= MOST_LINKS {
            proxies.retain(|_, handle| local.registry.find(*handle).is_some());
            if proxies.len() >= MOST_LINKS {
                return Err(LinkError::TooMany);
            }
        }
        let handle = proxy::launch(self, local, &key).map_err(|_| LinkError::Ending)?;
        proxies.insert(key, handle);
        Ok(handle)
    }

    /// Gives a service a name that peers can call, and takes its former one away. False when the
    /// name belongs to another service.
    pub fn register(&self, name: &[u8], service: Handle) -> bool {
        self.names.write().unwrap_or_else(PoisonError::into_inner).register(name, service)
    }

    /// Takes a name away; answers whose it was.
    pub fn unregister(&self, name: &[u8]) -> Option<Handle> {
        self.names.write().unwrap_or_else(PoisonError::into_inner).unregister(name)
    }

    /// The name under which peers can call a service.
    fn name_of(&self, service: Handle) -> Option<Box<[u8]>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).name_of(service).map(Into::into)
    }

    /// The service with a name that peers can call.
    pub fn registered(&self, name: &[u8]) -> Option<Handle> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).find(name)
    }
}
