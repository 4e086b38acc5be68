//! Harbors: skynet's older network, where a handle names a service of any of up to 255 nodes.
//!
//! A message to a handle with a foreign harbor id goes from the sending worker straight to the
//! socket of that node; what arrives goes from the task of the connection straight into mailboxes.
//! Names and comings and goings are the business of the services cslave and cmaster.
//!
//! Invariant: messages from one service to another keep their order, also those that waited for
//! the connection. A node that was lost stays lost, as handles of its services do.
//! Lock order: a slot, then those of the socket it writes to. A slot is held while what has waited
//! is written, so that nothing overtakes it.
//! Not here: the frames (`codec/harbor.rs`), the network's rules (`lua/service/cslave.lua`).

mod actor;
mod link;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use actor::HarborService;
use link::{Feed, Link, Pending};

use crate::codec::harbor::Splitter;
use crate::kernel::{Handle, Kind, Message, Node, Payload, Remote, SendError, Service, Session};
use crate::net::socket::{Mode, Owner, SocketId, Sockets};

/// Most bytes of messages that wait for nodes to be connected.
const MOST_WAITING: usize = 64 << 20;

/// How long a harbor may take nothing of what is left when this node ends.
const LINGER: Duration = Duration::from_secs(1);

/// Harbor ids.
const IDS: usize = 256;

/// What is known of one harbor.
enum Slot {
    /// It has not been connected yet: frames that wait, and their requests.
    Waiting(Vec<u8>, Pending),
    /// It is connected.
    Up(Arc<Link>),
    /// It was lost.
    Down,
}

/// Who is told of comings and goings.
struct Reports {
    /// The service in whose name it is done.
    service: Arc<Service>,
    /// Whom it tells.
    slave: Handle,
}

/// The harbors of a network as one of them sees it.
pub struct Harbors {
    sockets: Arc<Sockets>,
    slots: Box<[Mutex<Slot>]>,
    reports: OnceLock<Reports>,
    /// Bytes of messages that wait for nodes to be connected.
    waiting: AtomicUsize,
    /// Messages that came for services that are not here.
    stray: AtomicU64,
}

impl Harbors {
    /// A network of which nothing is known yet.
    pub fn new(sockets: Arc<Sockets>) -> Arc<Self> {
        let slot = || Mutex::new(Slot::Waiting(Vec::new(), Pending::new()));
        let slots = std::iter::repeat_with(slot).take(IDS).collect();
        Arc::new(Self {
            sockets,
            slots,
            reports: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            stray: AtomicU64::new(0),
        })
    }

    fn slot(&self, id: u8) -> MutexGuard<'_, Slot> {
        self.slots[usize::from(id)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, node: &Node, text: &str) {
        node.log(self.reports.get().map(|reports| reports.service.handle), text);
    }

    /// Tells the slave something.
    fn report(&self, node: &Node, text: &str) {
        let Some(reports) = self.reports.get() else { return };
        let message = Message {
            source: Some(reports.service.handle),
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(text.as_bytes()),
        };
        let _ = node.send_to(reports.slave, message);
    }

    /// Makes a connected socket the link with a harbor. One that has said already who it is was
    /// accepted here.
    fn attach(self: &Arc<Self>, node: &Arc<Node>, number: i64, id: u8, accepted: bool) {
        let socket = SocketId::new(number).and_then(|id| self.sockets.get(id));
        let service = self.reports.get().map(|reports| Arc::clone(&reports.service));
        let (Some(socket), Some(service)) = (socket, service) else {
            return self.down(node, id, None);
        };
        let owner = Owner { service, sockets: None, memory: usize::MAX };
        let own = node.registry.harbor();
        if socket.start(owner, Mode::Buffered).is_err() || socket.write(&[own]).is_err() {
            return self.down(node, id, None);
        }
        socket.set_nodelay();
        let link = Arc::new(Link::new(Arc::clone(&socket)));
        if accepted {
            self.up(node, id, &link);
        }
        let feed = Feed {
            node: Arc::clone(node),
            harbors: Arc::clone(self),
            link: Arc::clone(&link),
            id,
            greeting: !accepted,
            splitter: Splitter::default(),
        };
        if socket.attach(Box::new(feed)).is_err() {
            self.down(node, id, Some(&link));
            link.fail_pending(node);
        }
    }

    /// A harbor is connected: what has waited goes out first.
    fn up(&self, node: &Node, id: u8, link: &Arc<Link>) {
        let mut slot = self.slot(id);
        match std::mem::replace(&mut *slot, Slot::Up(Arc::clone(link))) {
            Slot::Waiting(frames, pending) => {
                self.waiting.fetch_sub(frames.len(), Ordering::Relaxed);
                link.adopt(pending);
                if !frames.is_empty() {
                    // Should it fail, the end of the link answers what waits.
                    let _ = link.socket.write(&frames);
                }
            }
            Slot::Up(before) => {
                *slot = Slot::Up(before);
                drop(slot);
                self.log(node, &format!("Harbor {id} is connected already"));
                link.socket.close(Duration::ZERO);
            }
            Slot::Down => {
                *slot = Slot::Down;
                drop(slot);
                link.socket.close(Duration::ZERO);
            }
        }
    }

    /// A harbor is lost: the connection that was, or was to be, its link has ended.
    fn down(&self, node: &Node, id: u8, link: Option<&Arc<Link>>) {
        let before = {
            let mut slot = self.slot(id);
            if let Slot::Up(current) = &*slot
                && link.is_none_or(|link| !Arc::ptr_eq(link, current))
            {
                return;
            }
            std::mem::replace(&mut *slot, Slot::Down)
        };
        match before {
            Slot::Waiting(frames, pending) => {
                self.waiting.fetch_sub(frames.len(), Ordering::Relaxed);
                link::fail(node, pending);
            }
            Slot::Up(link) => link.fail_pending(node),
            Slot::Down => return,
        }
        self.report(node, &format!("D {id}"));
    }

    /// A message to a harbor that is no more.
    fn drop_message(&self, node: &Node, to: Handle, message: &Message) {
        if let Some((source, session)) = link::awaited(message) {
            node.answer_with_error(Some(source), session, to);
        }
        let source = message.source.map_or(0, Handle::number);
        let (session, size) = (message.session, message.payload.len());
        self.log(
            node,
            &format!(
                "Drop message to harbor {} from {source:x} to {:x} (session = {session}, msgsz = {size})",
                to.harbor(),
                to.number(),
            ),
        );
    }
}

impl Remote for Harbors {
    fn send(&self, node: &Node, to: Handle, message: Message) -> Result<(), SendError> {
        let mut slot = self.slot(to.harbor());
        match &mut *slot {
            Slot::Up(link) => {
                let link = Arc::clone(link);
                drop(slot);
                match link.send(to, &message) {
                    Err(SendError::NoService) => self.drop_message(node, to, &message),
                    other => return other,
                }
            }
            Slot::Waiting(frames, pending) => {
                let frame = link::frame(to, &message)?;
                if self.waiting.load(Ordering::Relaxed) + frame.len() > MOST_WAITING {
                    return Err(SendError::Full);
                }
                self.waiting.fetch_add(frame.len(), Ordering::Relaxed);
                frames.extend_from_slice(&frame);
                if let Some(request) = link::awaited(&message) {
                    pending.insert(request, to);
                }
            }
            Slot::Down => {
                drop(slot);
                self.drop_message(node, to, &message);
            }
        }
        Ok(())
    }

    fn wants_name(&self, node: &Node, name: &[u8]) {
        self.report(node, &format!("Q {}", String::from_utf8_lossy(name)));
    }

    fn end(&self) {
        for slot in &self.slots {
            let before = std::mem::replace(
                &mut *slot.lock().unwrap_or_else(PoisonError::into_inner),
                Slot::Down,
            );
            if let Slot::Up(link) = before {
                link.socket.close(LINGER);
            }
        }
    }
}
