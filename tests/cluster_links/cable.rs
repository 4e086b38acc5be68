//! A cable between two nodes: a relay of bytes that a test plugs, cuts, holds and releases.
//!
//! Invariant: what was read from one side is written to the other in order, or the connection is
//! cut; nothing is lost in between.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

#[derive(Default)]
struct State {
    held: bool,
    unplugged: bool,
    links: Vec<TcpStream>,
}

struct Inner {
    to: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    connections: AtomicUsize,
}

/// A cable to an address. It listens at its own.
pub(crate) struct Cable {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Cable {
    pub(crate) fn to(to: SocketAddr) -> Self {
        let inner = Inner {
            to,
            state: Mutex::default(),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Self { address: listener.local_addr().unwrap(), inner: Arc::new(inner) };
        cable.listen(listener);
        cable
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Ends every connection; further ones come up again.
    pub(crate) fn cut(&self) {
        let links = std::mem::take(&mut self.inner.state.lock().unwrap().links);
        for link in links {
            let _ = link.shutdown(Shutdown::Both);
        }
        self.inner.changed.notify_all();
    }

    /// Bytes that arrive from now on wait, in both directions.
    pub(crate) fn hold(&self) {
        self.inner.state.lock().unwrap().held = true;
    }

    /// Lets them through.
    pub(crate) fn release(&self) {
        self.inner.state.lock().unwrap().held = false;
        self.inner.changed.notify_all();
    }

    /// Cuts, and refuses connections from now on.
    pub(crate) fn unplug(&self) {
        self.inner.state.lock().unwrap().unplugged = true;
        // The thread that accepts looks when somebody comes.
        let _ = TcpStream::connect(self.address);
        self.cut();
        while TcpStream::connect(self.address).is_ok() {}
    }

    /// Takes connections again.
    pub(crate) fn plug(&self) {
        self.inner.state.lock().unwrap().unplugged = false;
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    fn listen(&self, listener: TcpListener) {
        let inner = Arc::clone(&self.inner);
        std::thread::spawn(move || {
            while let Ok((from, _)) = listener.accept() {
                let mut state = inner.state.lock().unwrap();
                if state.unplugged {
                    return;
                }
                let to = TcpStream::connect(inner.to).unwrap();
                inner.connections.fetch_add(1, Ordering::SeqCst);
                for (source, sink) in [(&from, &to), (&to, &from)] {
                    let (source, sink) = (source.try_clone().unwrap(), sink.try_clone().unwrap());
                    let inner = Arc::clone(&inner);
                    std::thread::spawn(move || inner.relay(source, sink));
                }
                state.links.extend([from, to]);
            }
        });
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.release();
        if !self.inner.state.lock().unwrap().unplugged {
            self.unplug();
        }
    }
}

impl Inner {
    fn relay(&self, mut source: TcpStream, mut sink: TcpStream) {
        let mut buffer = [0; 16_384];
        while let Ok(count @ 1..) = source.read(&mut buffer) {
            let state = self.state.lock().unwrap();
            drop(self.changed.wait_while(state, |state| state.held).unwrap());
            if sink.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = source.shutdown(Shutdown::Both);
        let _ = sink.shutdown(Shutdown::Both);
    }
}
