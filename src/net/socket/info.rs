//! What is known of each socket (`socket.netstat`).

use super::one::{Link, Mode, Phase, Socket};
use super::table::Sockets;
use crate::kernel::clock::CENTISECOND;
use crate::kernel::stamp::LastStamp;

/// Kind of a socket as scripts name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InfoKind {
    /// Accepts connections.
    Listen,
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
    /// A descriptor made elsewhere.
    Bind,
    /// A connection that one side has closed.
    Closing,
}

impl InfoKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "LISTEN",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Bind => "BIND",
            Self::Closing => "CLOSING",
        }
    }
}

/// What is known of a socket.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its number.
    pub id: i32,
    /// Its owner's address, 0 when it has none.
    pub address: u32,
    /// Its kind.
    pub kind: InfoKind,
    /// Bytes received, or connections accepted.
    pub read: u64,
    /// Bytes sent.
    pub write: u64,
    /// Bytes that wait to be sent.
    pub wbuffer: usize,
    /// When it last received, in centiseconds of the node's clock.
    pub rtime: u64,
    /// When it was last written.
    pub wtime: u64,
    /// The peer is being read.
    pub reading: bool,
    /// Something waits to be sent.
    pub writing: bool,
    /// The peer's address, or a listening socket's own.
    pub name: Option<String>,
}

impl Sockets {
    /// What is known of each open socket, in the order of their numbers.
    pub fn info(&self) -> Vec<Info> {
        self.all().iter().filter_map(|socket| socket.info()).collect()
    }
}

impl Socket {
    /// When `stamp` was taken, by the node's clock; 0 for never.
    fn time_of(&self, stamp: &LastStamp) -> u64 {
        let Some(stamp) = stamp.get() else { return 0 };
        let ago = self.node.stamps.elapsed(stamp).as_millis() / CENTISECOND.as_millis();
        self.node.clock.now().saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX))
    }

    fn info(&self) -> Option<Info> {
        let (address, phase, eof, reading) = {
            let state = self.lock();
            let owner = state.owner.as_ref().map_or(0, |owner| owner.service.handle.number());
            let reading = state.mode != Mode::Idle && !state.paused && !state.flooded && !state.eof;
            (owner, state.phase, state.eof, reading)
        };
        let mut info = Info {
            id: self.id.number(),
            address,
            kind: InfoKind::Tcp,
            read: 0,
            write: 0,
            wbuffer: 0,
            rtime: self.time_of(&self.read_at),
            wtime: self.time_of(&self.wrote_at),
            reading,
            writing: false,
            name: self.peer().map(|peer| format!("{}:{}", peer.ip(), peer.port())),
        };
        match self.link.get()? {
            Link::Tcp(stream) => {
                if eof || phase != Phase::Open {
                    info.kind = InfoKind::Closing;
                }
                (info.read, info.write) = stream.traffic();
                info.wbuffer = stream.queued();
                info.writing = info.wbuffer > 0;
            }
            Link::Listener(listener) => {
                let local = listener.local();
                info.kind = InfoKind::Listen;
                info.read = listener.accepted();
                info.name = Some(format!("{}:{}", local.ip(), local.port()));
            }
            Link::Udp(udp) => {
                info.kind = InfoKind::Udp;
                (info.read, info.write) = udp.traffic();
            }
            Link::Bound(bound) => {
                info.kind = InfoKind::Bind;
                (info.read, info.write) = bound.traffic();
                info.wbuffer = bound.queued();
                info.writing = info.wbuffer > 0;
            }
        }
        Some(info)
    }
}
