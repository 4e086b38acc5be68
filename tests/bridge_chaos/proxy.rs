//! A way to Redis that can be cut, held up and made to swallow what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a connection without traffic looks whether it is cut.
const LOOK: Duration = Duration::from_millis(20);

/// One process' way to Redis.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    /// Port of the server.
    server: AtomicU16,
    start: Instant,
    /// Connections that were made before are cut.
    generation: AtomicU64,
    /// Milliseconds since the start until which bytes wait, and until which they are swallowed, in
    /// either direction.
    held: AtomicU64,
    swallowed: [AtomicU64; 2],
}

impl State {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Proxy {
    pub(crate) fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server: AtomicU16::new(server),
            start: Instant::now(),
            generation: AtomicU64::new(0),
            held: AtomicU64::new(0),
            swallowed: [AtomicU64::new(0), AtomicU64::new(0)],
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = shared.server.load(Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let generation = shared.generation.load(Ordering::Relaxed);
                let (there, back) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || pump(&there, generation, 0, client, server));
                thread::spawn(move || pump(&back, generation, 1, server2, client2));
            }
        });
        Self { port, state }
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.state.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Holds all bytes up for so long.
    pub(crate) fn hold(&self, time: Duration) {
        let until = self.state.now() + u64::try_from(time.as_millis()).unwrap_or(0);
        self.state.held.store(until, Ordering::Relaxed);
    }

    /// Swallows what goes to Redis (0) or comes from it (1) for so long; connections that lose
    /// something that way end.
    pub(crate) fn swallow(&self, direction: usize, time: Duration) {
        let until = self.state.now() + u64::try_from(time.as_millis()).unwrap_or(0);
        self.state.swallowed[direction].store(until, Ordering::Relaxed);
    }
}

fn pump(state: &State, generation: u64, direction: usize, mut from: TcpStream, mut to: TcpStream) {
    let _ = from.set_read_timeout(Some(LOOK));
    let mut bytes = vec![0; 64 << 10];
    let mut doomed = false;
    while state.generation.load(Ordering::Relaxed) == generation {
        if doomed && state.now() >= state.swallowed[direction].load(Ordering::Relaxed) {
            break;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                // The fault itself: bytes wait until the time that `hold` has set, or the cut.
                while state.now() < state.held.load(Ordering::Relaxed)
                    && state.generation.load(Ordering::Relaxed) == generation
                {
                    thread::sleep(Duration::from_millis(1));
                }
                if doomed || state.now() < state.swallowed[direction].load(Ordering::Relaxed) {
                    doomed = true;
                } else if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
