//! TCP: opening, listening, and the options of a connection.
//!
//! Invariant: every socket made here is non-blocking, closed on exec, and has the options asked
//! for before anybody uses it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::Notify;

use super::address::Address;
use super::complaints::Complaints;

/// Connections that wait to be accepted when nothing else is asked for. The kernel's own limit
/// (`net.core.somaxconn`) may be lower.
pub const BACKLOG: u32 = 1024;

/// Pause after a connection that could not be taken: the process has no descriptors or memory left,
/// or whoever listens has as many as it may. So a crowd at the door takes no processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Probes of a silent peer before the connection counts as dead.
const PROBES: u32 = 3;

/// Options of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Small writes go out at once.
    pub nodelay: bool,
    /// A peer that is silent or takes nothing for about this long is given up; `None` waits for
    /// ever.
    pub dead_after: Option<Duration>,
}

impl Options {
    /// Sets the options on a connection.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn apply(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(self.nodelay)?;
        if let Some(limit) = self.dead_after {
            let socket = SockRef::from(socket);
            // The first probe after half of the time, so that all of them fit into it.
            let second = Duration::from_secs(1);
            let keepalive = TcpKeepalive::new()
                .with_time((limit / 2).max(second))
                .with_interval((limit / 2 / PROBES).max(second))
                .with_retries(PROBES);
            socket.set_tcp_keepalive(&keepalive)?;
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(Some(limit))?;
        }
        Ok(())
    }
}

/// Connects to `address`, trying each number its host stands for.
///
/// # Errors
/// The last failure, or `TimedOut` after `limit`.
pub async fn connect(
    address: &Address,
    options: Options,
    limit: Duration,
) -> io::Result<TcpStream> {
    let connecting = async {
        let mut failure = io::Error::new(
            io::ErrorKind::NotFound,
            format!("the host `{}` has no address", address.host),
        );
        for number in lookup_host((&*address.host, address.port)).await? {
            match TcpStream::connect(number).await {
                Ok(socket) => {
                    options.apply(&socket)?;
                    return Ok(socket);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
        let text = format!("no connection within {} ms", limit.as_millis());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

/// Opens a listening socket; the port 0 takes a free one.
///
/// # Errors
/// When the host is unknown or the address in use.
pub async fn bind(address: &Address, backlog: u32) -> io::Result<TcpListener> {
    let number = match address.host.parse() {
        Ok(ip) => SocketAddr::new(ip, address.port),
        Err(_) => lookup_host((&*address.host, address.port)).await?.next().ok_or_else(|| {
            let text = format!("the host `{}` has no address", address.host);
            io::Error::new(io::ErrorKind::NotFound, text)
        })?,
    };
    let socket = if number.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(number)?;
    socket.listen(backlog)
}

/// Accepts connections until `stop` is notified. `accepted` gets each, and may refuse it. `failed`
/// is told when none can be taken, which may be because all are refused: at once, then once a second
/// with the number of further failures, of which it gets the last.
pub async fn accept(
    listener: TcpListener,
    options: Options,
    stop: Arc<Notify>,
    mut accepted: impl FnMut(TcpStream, SocketAddr) -> io::Result<()> + Send + 'static,
    mut failed: impl FnMut(&io::Error, u64) + Send + 'static,
) {
    let mut complaints = Complaints::default();
    let mut untold = None;
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let arrived = tokio::select! {
            () = &mut stopped => break,
            () = until(complaints.due()) => {
                tell(&mut complaints, untold.take(), &mut failed);
                continue;
            }
            arrived = listener.accept() => arrived,
        };
        let failure = match arrived {
            // Setting the options fails only for a connection that is gone already.
            Ok((socket, _)) if options.apply(&socket).is_err() => None,
            Ok((socket, peer)) => accepted(socket, peer).err(),
            Err(error) if is_of_one_connection(&error) => None,
            Err(error) => Some(error),
        };
        let Some(error) = failure else { continue };
        if complaints.note(Instant::now()) {
            failed(&error, 0);
        } else {
            untold = Some(error);
        }
        tokio::select! {
            () = &mut stopped => break,
            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
        }
    }
    tell(&mut complaints, untold, &mut failed);
}

/// Tells of the failures that were only counted, the last of which is `last`.
fn tell(
    complaints: &mut Complaints,
    last: Option<io::Error>,
    failed: &mut impl FnMut(&io::Error, u64),
) {
    if let Some(error) = last {
        failed(&error, complaints.take(Instant::now()));
    }
}

/// Ready at that time; never without one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// True when only the connection that was to be accepted is affected.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
