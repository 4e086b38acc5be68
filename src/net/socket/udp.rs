//! Sockets of datagrams.
//!
//! Invariant: a datagram goes out whole or not at all. Those that arrive while the owner lags
//! behind are dropped, and those that the kernel does not take are queued up to `QUEUED`.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::connect::Allows;
use super::one::{Link, Mode, Owner, Phase, Socket};
use super::table::{OpenError, Sockets};
use crate::codec::socket_event::Event;
use crate::codec::udp_address;
use crate::kernel::Node;
use crate::net::stream::{End, Ended};

/// Bytes of datagrams that wait for the kernel.
const QUEUED: usize = 1 << 20;

/// Longest datagram.
const LONGEST: usize = 64 << 10;

/// Messages waiting in the owner's mailbox above which datagrams are dropped.
const LAG: usize = 8192;

struct Queue {
    waiting: VecDeque<(Option<SocketAddr>, Vec<u8>)>,
    bytes: usize,
}

/// A socket of datagrams.
pub(super) struct Udp {
    socket: UdpSocket,
    /// Where `write` sends to.
    target: Mutex<Option<SocketAddr>>,
    /// The kernel knows the peer and takes datagrams from it alone.
    is_dialed: bool,
    allows: Allows,
    queue: Mutex<Queue>,
    /// The queue is no longer empty, or the socket is to close.
    changed: Notify,
    closing: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Whom a socket of datagrams talks to.
#[derive(Clone, Copy, Debug)]
pub enum Datagrams {
    /// Everybody, from this address; without one from any free port.
    Bound(Option<SocketAddr>),
    /// This peer alone.
    Dialed(SocketAddr),
}

impl Sockets {
    /// Opens a socket of datagrams.
    ///
    /// # Errors
    /// When the policy refuses the address, the system does, or there are too many sockets.
    pub fn udp(
        self: &Arc<Self>,
        node: &Arc<Node>,
        owner: Owner,
        mode: Mode,
        with: Datagrams,
        listens: &dyn Fn(SocketAddr) -> bool,
        allows: Allows,
    ) -> Result<Arc<Socket>, OpenError> {
        let runtime = self.runtime()?;
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (local, target) = match with {
            Datagrams::Bound(None) => (any, None),
            Datagrams::Bound(Some(local)) => {
                if !listens(local) {
                    return Err(OpenError::Refused(local));
                }
                (local, None)
            }
            Datagrams::Dialed(target) => {
                if !allows(target) {
                    return Err(OpenError::Refused(target));
                }
                let v6 = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0));
                (if target.is_ipv4() { any } else { v6 }, Some(target))
            }
        };
        let socket = std::net::UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        if let Some(target) = target {
            socket.connect(target)?;
        }
        let entered = runtime.enter();
        let socket = UdpSocket::from_std(socket)?;
        drop(entered);
        let udp = Arc::new(Udp {
            socket,
            target: Mutex::new(target),
            is_dialed: target.is_some(),
            allows,
            queue: Mutex::new(Queue { waiting: VecDeque::new(), bytes: 0 }),
            changed: Notify::new(),
            closing: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let socket = self.add(node, owner, mode, Phase::Open)?;
        let _ = socket.link.set(Link::Udp(Arc::clone(&udp)));
        let ours = Arc::clone(&socket);
        runtime.spawn(async move {
            let end = udp.run(&ours).await;
            ours.end(&end);
        });
        Ok(socket)
    }
}

impl Udp {
    pub(super) fn target(&self) -> Option<SocketAddr> {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    pub(super) fn traffic(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.changed.notify_one();
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to the peer that `udp_connect` or `udp_dial` has named.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Ended> {
        let target = self.target().ok_or(Ended)?;
        self.send_to(target, bytes)
    }

    fn send_to(&self, target: SocketAddr, bytes: &[u8]) -> Result<(), Ended> {
        if self.closing.load(Ordering::SeqCst) || !(self.allows)(target) {
            return Err(Ended);
        }
        let target = (!self.is_dialed).then_some(target);
        let mut queue = self.lock_queue();
        if queue.waiting.is_empty() && !self.is_full(target, bytes) {
            return Ok(());
        }
        if queue.bytes + bytes.len() > QUEUED {
            return Err(Ended);
        }
        queue.bytes += bytes.len();
        queue.waiting.push_back((target, bytes.to_vec()));
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Gives a datagram to the kernel; true when it takes none now. One that the kernel refuses
    /// for good (too long, no way there) is lost, as datagrams are.
    fn is_full(&self, target: Option<SocketAddr>, bytes: &[u8]) -> bool {
        let sent = match target {
            Some(target) => self.socket.try_send_to(bytes, target),
            None => self.socket.try_send(bytes),
        };
        match sent {
            Ok(count) => {
                self.sent.fetch_add(count as u64, Ordering::Relaxed);
                false
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn send_queued(&self) {
        let mut queue = self.lock_queue();
        while let Some((target, bytes)) = queue.waiting.front() {
            if self.is_full(*target, bytes) {
                return;
            }
            let length = bytes.len();
            queue.bytes -= length;
            queue.waiting.pop_front();
        }
    }

    async fn run(&self, socket: &Arc<Socket>) -> End {
        let mut buffer = vec![0; LONGEST];
        while !self.closing.load(Ordering::SeqCst) {
            let waits = !self.lock_queue().waiting.is_empty();
            tokio::select! {
                () = self.changed.notified() => {}
                _ = self.socket.writable(), if waits => self.send_queued(),
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => self.received(socket, from, &buffer[..length]),
                    // An answer of the network to something sent earlier.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return End::Failed(error),
                },
            }
        }
        End::Closed
    }

    fn received(&self, socket: &Socket, from: SocketAddr, bytes: &[u8]) {
        self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        socket.note_read();
        let lags = {
            let state = socket.lock();
            state.owner.as_ref().is_none_or(|owner| owner.service.pending() >= LAG)
        };
        if !lags {
            let from = udp_address::encode(from);
            socket.tell(&Event::Udp { from: from.as_slice(), bytes });
        }
    }
}

impl Socket {
    /// Sends a datagram to `target`.
    ///
    /// # Errors
    /// When this is no socket of datagrams, it is closed, or too much waits.
    pub fn send_to(&self, target: SocketAddr, bytes: &[u8]) -> Result<(), Ended> {
        match self.link.get() {
            Some(Link::Udp(udp)) => {
                self.note_write();
                udp.send_to(target, bytes)
            }
            _ => Err(Ended),
        }
    }

    /// Names the peer that `write` sends to.
    ///
    /// # Errors
    /// When this is no socket of datagrams, the peer is of another kind of network, or the policy
    /// refuses it.
    pub fn udp_connect(&self, target: SocketAddr) -> Result<(), OpenError> {
        let Some(Link::Udp(udp)) = self.link.get() else {
            return Err(OpenError::System(io::Error::from(io::ErrorKind::NotConnected)));
        };
        if !(udp.allows)(target) {
            return Err(OpenError::Refused(target));
        }
        if udp.local().is_some_and(|local| local.is_ipv4() != target.is_ipv4()) {
            return Err(OpenError::System(io::Error::from(io::ErrorKind::Unsupported)));
        }
        *udp.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        Ok(())
    }
}
