//! Listening sockets.
//!
//! Invariant: connections are accepted from `start` on; before that they wait in the kernel's
//! backlog. An accepted socket reads nothing until it is started itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::inbound::SocketReceiver;
use super::one::{Link, Mode, Owner, Phase, Socket};
use super::table::{OpenError, Sockets};
use crate::codec::socket_event::Event;
use crate::kernel::Node;
use crate::net::stream::{End, Stream};
use crate::net::tcp::{self, Options};

/// A listening socket.
pub(super) struct Listener {
    local: SocketAddr,
    /// Until it is started.
    socket: Mutex<Option<TcpListener>>,
    stop: Arc<Notify>,
    runtime: Handle,
    nodelay: bool,
    accepted: AtomicU64,
}

impl Sockets {
    /// Listens at `address`, whose port is 0 for a free one.
    ///
    /// # Errors
    /// When the policy refuses the address, the system does, or there are too many sockets.
    pub fn listen(
        self: &Arc<Self>,
        node: &Arc<Node>,
        owner: Owner,
        mode: Mode,
        address: SocketAddr,
        backlog: i32,
        allows: &dyn Fn(SocketAddr) -> bool,
    ) -> Result<Arc<Socket>, OpenError> {
        let runtime = self.runtime()?;
        if !allows(address) {
            return Err(OpenError::Refused(address));
        }
        let socket = socket2::Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        let socket = TcpListener::from(socket);
        let listener = Listener {
            local: socket.local_addr()?,
            socket: Mutex::new(Some(socket)),
            stop: Arc::new(Notify::new()),
            runtime,
            nodelay: self.options.nodelay,
            accepted: AtomicU64::new(0),
        };
        let local = listener.local;
        let socket = self.add(node, owner, Mode::Idle, Phase::Open)?;
        let _ = socket.link.set(Link::Listener(listener));
        if mode == Mode::Raw {
            let ip = local.ip().to_string();
            socket.tell(&Event::Connect { port: local.port(), text: ip.as_bytes() });
        }
        Ok(socket)
    }
}

impl Listener {
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Connections accepted so far.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Begins to accept, once.
    pub(super) fn start(&self, socket: &Arc<Socket>) {
        let listener = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return };
        let entered = self.runtime.enter();
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return socket.end(&End::Failed(error)),
        };
        drop(entered);
        let options = Options { nodelay: self.nodelay, dead_after: None };
        let (ours, theirs, ended) = (Arc::clone(socket), Arc::clone(socket), Arc::clone(socket));
        let stop = Arc::clone(&self.stop);
        self.runtime.spawn(async move {
            let accepted = move |stream, peer| ours.accepted(stream, peer);
            let failed = move |error: &io::Error, more| theirs.accept_failed(error, more);
            tcp::accept(listener, options, stop, accepted, failed).await;
            ended.end(&End::Closed);
        });
    }

    pub(super) fn close(&self, socket: &Socket) {
        let listener = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else {
            self.stop.notify_one();
            return;
        };
        drop(listener);
        if let Some(socket) = socket.sockets.upgrade().and_then(|sockets| sockets.get(socket.id)) {
            socket.end(&End::Closed);
        }
    }
}

impl Socket {
    /// Takes over an accepted connection and tells the owner. Refuses it when the owner has as
    /// many sockets as it may.
    fn accepted(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        self.note_read();
        if let Some(Link::Listener(listener)) = self.link.get() {
            listener.accepted.fetch_add(1, Ordering::Relaxed);
        }
        let (owner, mode) = {
            let state = self.lock();
            (state.owner.clone(), state.mode)
        };
        let (Some(owner), Some(sockets)) = (owner, self.sockets.upgrade()) else {
            return Ok(());
        };
        if mode == Mode::Idle {
            return Ok(());
        }
        let service = Arc::clone(&owner.service);
        // Dropping the stream closes it.
        let socket = sockets
            .add(&self.node, owner, Mode::Idle, Phase::Open)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let _ = SockRef::from(&stream).set_keepalive(true);
        match Stream::tcp(stream, SocketReceiver(Arc::clone(&socket))) {
            Ok((stream, task)) => {
                stream.pause();
                let _ = socket.link.set(Link::Tcp(stream));
                tokio::spawn(task);
                let peer = format!("{}:{}", peer.ip(), peer.port());
                self.tell(&Event::Accept { id: socket.id.number(), peer: peer.as_bytes() });
                if service.is_retired() {
                    socket.close(Duration::ZERO);
                }
            }
            // Only a connection that is gone already fails here.
            Err(error) => socket.end(&End::Failed(error)),
        }
        Ok(())
    }

    /// Tells the owner, or the log, that a connection could not be taken, and `more` before it.
    fn accept_failed(&self, error: &io::Error, more: u64) {
        let mut text = super::connect::text_of(error);
        if more > 0 {
            text.push_str(&format!(" ({more} more times)"));
        }
        if self.lock().mode == Mode::Raw {
            self.tell(&Event::Error(text.as_bytes()));
        } else {
            self.log(&format!("socket: accept error: {text}"));
        }
    }
}
