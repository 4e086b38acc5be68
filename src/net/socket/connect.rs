//! Opening a connection: the look-up of its host, its policy, the connection itself.
//!
//! Invariant: a policy is asked for every number before anything is sent to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};

use super::inbound::SocketReceiver;
use super::one::{Link, Mode, Owner, Phase, Socket};
use super::table::{OpenError, Sockets};
use crate::codec::socket_event::Event;
use crate::kernel::{Node, Session};
use crate::net::stream::{End, Stream};

/// Says which addresses a service may use.
pub type Allows = Box<dyn Fn(SocketAddr) -> bool + Send + Sync>;

impl Sockets {
    /// Opens a connection to `host` and `port`. In raw mode the owner gets an event when it is
    /// there or has failed; else `session` is answered.
    ///
    /// # Errors
    /// When the owner has as many sockets as it may, or the I/O cannot start.
    pub fn connect(
        self: &Arc<Self>,
        node: &Arc<Node>,
        owner: Owner,
        mode: Mode,
        (host, port): (&str, u16),
        allows: Allows,
        session: Option<Session>,
    ) -> Result<Arc<Socket>, OpenError> {
        let runtime = self.runtime()?;
        let socket = self.add(node, owner, mode, Phase::Connecting)?;
        socket.lock().waiter = session;
        let host: Box<str> = host.into();
        let (ours, nodelay) = (Arc::clone(&socket), self.options.nodelay);
        runtime.spawn(async move {
            match dial(&host, port, &allows).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(nodelay);
                    let _ = SockRef::from(&stream).set_keepalive(true);
                    ours.connected(stream);
                }
                Err(OpenError::Refused(address)) => {
                    ours.lock().refused = Some(address);
                    let text = format!("the sandbox refuses {address}");
                    ours.end(&End::Failed(io::Error::new(io::ErrorKind::PermissionDenied, text)));
                }
                Err(OpenError::System(error)) => ours.end(&End::Failed(error)),
                Err(error @ OpenError::TooMany(_)) => {
                    ours.end(&End::Failed(io::Error::other(error.to_string())));
                }
            }
        });
        Ok(socket)
    }
}

/// Connects to the first of a host's addresses that takes a connection; those that `allows` refuses
/// are left out.
///
/// # Errors
/// The last failure, or the refusal when there is no other.
pub async fn dial(host: &str, port: u16, allows: &Allows) -> Result<TcpStream, OpenError> {
    let mut failure = None;
    for address in lookup_host((host, port)).await? {
        if !allows(address) {
            failure.get_or_insert(OpenError::Refused(address));
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(OpenError::System(error)),
        }
    }
    Err(failure.unwrap_or_else(|| {
        let text = format!("the host `{host}` has no address");
        OpenError::System(io::Error::new(io::ErrorKind::NotFound, text))
    }))
}

impl Socket {
    /// Takes over a fresh connection. Runs in a task.
    fn connected(self: &Arc<Self>, stream: TcpStream) {
        let made = Stream::tcp(stream, SocketReceiver(Arc::clone(self)));
        let (stream, task) = match made {
            Ok(made) => made,
            Err(error) => return self.end(&End::Failed(error)),
        };
        let _ = self.link.set(Link::Tcp(Arc::clone(&stream)));
        let early = {
            let mut state = self.lock();
            if state.phase != Phase::Connecting {
                stream.close(super::inbound::CLOSE_LINGER);
            } else {
                state.phase = Phase::Open;
            }
            std::mem::take(&mut state.early)
        };
        if !early.is_empty() {
            let _ = self.write(&early);
        }
        let (mode, waiter, owner) = {
            let mut state = self.lock();
            // A socket that is being closed answers its waiter at its end.
            let waiter = if state.phase == Phase::Open { state.waiter.take() } else { None };
            (state.mode, waiter, state.owner.clone())
        };
        if mode == Mode::Raw {
            let ip = stream.peer().ip().to_string();
            self.tell(&Event::Connect { port: 0, text: ip.as_bytes() });
        } else if let (Some(session), Some(owner)) = (waiter, owner) {
            self.answer(&owner.service, session);
        }
        tokio::spawn(task);
    }
}

/// The text of an error as scripts know it: without the number of the system, and that of the
/// resolver without what was tried.
pub fn text_of(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_the_system_words_them() {
        assert_eq!(
            text_of(&io::Error::from_raw_os_error(libc::ECONNREFUSED)),
            "Connection refused"
        );
        let resolver = "failed to lookup address information: Name or service not known";
        assert_eq!(text_of(&io::Error::other(resolver)), "Name or service not known");
    }
}
