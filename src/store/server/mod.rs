//! The server: a thread that owns the store, with a task for each connection.
//!
//! A thread of its own, and not the I/O of the node: a long command, a script, or a disk that is
//! slow to take what was written hold up the clients of the store alone, never a game worker, and
//! commands need no lock.
//!
//! Invariants: what a command has changed is in the file before any task runs again, so before
//! anybody is told; the store listens on loopback only.
//! Not here: what commands do.

mod connection;

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;

use super::aof::{Aof, load};
use super::{Clock, Config, Fsync, Store};

/// Where the store says what it has to say.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// How often keys whose time is over are looked for, though nobody asks for them.
const EXPIRY_TICK: Duration = Duration::from_millis(100);
/// Most of them that are removed at once.
const EXPIRY_BATCH: usize = 1000;
/// How often the file is forced to the disk by `everysec`.
const SYNC_TICK: Duration = Duration::from_secs(1);
/// Pause after an accept that failed for lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running store.
pub struct Server {
    address: SocketAddr,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What all connections share.
struct Shared {
    store: RefCell<Store>,
    aof: RefCell<Option<Aof>>,
    log: Log,
}

impl Server {
    /// Starts a store: replays its file, and listens.
    ///
    /// # Errors
    /// When the port is in use or the file cannot be replayed; the text names it.
    pub fn start(mut config: Config, clock: Clock, log: Log) -> Result<Self, String> {
        let asked = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
        let named = |error: std::io::Error| format!("embedded redis at {asked}: {error}");
        let listener = TcpListener::bind(asked).map_err(named)?;
        listener.set_nonblocking(true).map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        config.port = address.port();
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let body = move || match prepare(config, clock, log) {
            Ok(shared) => {
                drop(ready.send(Ok(())));
                run(shared, listener, stopped);
            }
            Err(text) => drop(ready.send(Err(text))),
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(body);
        let thread = thread.map_err(|error| format!("thread store: cannot start ({error})"))?;
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(text)) => return Err(text),
            Err(_) => return Err("embedded redis: its thread ended".to_owned()),
        }
        let (stop, thread) = (Mutex::new(Some(stop)), Mutex::new(Some(thread)));
        Ok(Self { address, stop, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: what was written is forced to the disk, and connections are closed.
    pub fn stop(&self) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn prepare(config: Config, clock: Clock, log: Log) -> Result<Rc<Shared>, String> {
    let mut store = Store::new(config, clock)?;
    store.log = Some(Arc::clone(&log));
    let mut aof = None;
    if let Some(path) = store.config.file.clone() {
        let file = |error: String| format!("embedded redis: file {}: {error}", path.display());
        load::load(&mut store, &path, &log).map_err(file)?;
        aof = Some(Aof::open(&path).map_err(|error| file(error.to_string()))?);
        store.journal.enabled = true;
    }
    Ok(Rc::new(Shared { store: RefCell::new(store), aof: RefCell::new(aof), log }))
}

fn run(shared: Rc<Shared>, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    // One thread for what would block: forcing the file to the disk.
    let runtime =
        Builder::new_current_thread().max_blocking_threads(1).enable_io().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return (shared.log)(&format!("embedded redis: no runtime: {error}")),
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        tasks.spawn_local(expire(Rc::clone(&shared)));
        tasks.spawn_local(sync(Rc::clone(&shared)));
        tokio::select! {
            () = accept(Rc::clone(&shared), listener) => {}
            _ = stopped => {}
        }
    });
    drop(tasks);
    if let Some(aof) = &mut *shared.aof.borrow_mut() {
        shared.report(aof.sync());
    }
}

impl Shared {
    fn report(&self, result: std::io::Result<()>) {
        if let Err(error) = result {
            (self.log)(&format!("embedded redis: the append-only file: {error}"));
        }
    }

    /// Writes what commands have changed, before anybody is told of it; false when nobody may be
    /// told, as the disk has begun to take nothing and `always` promises that it has.
    fn write_down(&self) -> bool {
        let mut aof = self.aof.borrow_mut();
        let Some(aof) = &mut *aof else { return true };
        let mut store = self.store.borrow_mut();
        let store = &mut *store;
        let took = store.file_failure.is_none();
        let always = store.config.fsync == Fsync::Always;
        // A failure to force it to the disk leaves nothing to write, but is tried again.
        if !store.journal.bytes.is_empty() || !took {
            let failure = aof.write(&mut store.journal.bytes, always).err();
            self.note_failure(store, failure.map(|error| error.to_string()));
        }
        let told = !(always && took && store.file_failure.is_some());
        let config = &store.config;
        if store.rewrite_wanted || aof.has_doubled(config.rewrite_percentage, config.rewrite_size) {
            store.rewrite_wanted = false;
            match aof.rewrite(store) {
                Ok(()) => self.note_failure(store, None),
                Err(error) => (self.log)(&format!(
                    "embedded redis: the append-only file cannot be rewritten: {error}"
                )),
            }
        }
        store.file_size = aof.sizes();
        told
    }

    /// Notes whether the file takes what is written; the log has each change of that.
    fn note_failure(&self, store: &mut Store, failure: Option<String>) {
        if failure != store.file_failure {
            let text = failure.as_deref().unwrap_or("is written again");
            (self.log)(&format!("embedded redis: the append-only file: {text}"));
            store.file_failure = failure;
        }
    }
}

/// Removes keys whose time is over.
async fn expire(shared: Rc<Shared>) {
    loop {
        tokio::time::sleep(EXPIRY_TICK).await;
        loop {
            let more = shared.store.borrow_mut().expire(EXPIRY_BATCH);
            shared.write_down();
            if !more {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Forces the file to the disk once a second, on another thread.
async fn sync(shared: Rc<Shared>) {
    loop {
        tokio::time::sleep(SYNC_TICK).await;
        if shared.store.borrow().config.fsync != Fsync::EverySecond {
            continue;
        }
        let file = shared.aof.borrow_mut().as_mut().and_then(Aof::unsynced);
        let Some(file) = file else { continue };
        let synced = tokio::task::spawn_blocking(move || file?.sync_data()).await;
        shared.report(synced.unwrap_or_else(|error| Err(std::io::Error::other(error))));
    }
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return (shared.log)(&format!("embedded redis: cannot listen: {error}")),
    };
    loop {
        let Ok((socket, peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let wake = Rc::new(Notify::new());
        let ring = Rc::clone(&wake);
        let own = socket.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
        let addresses = (peer.to_string(), own);
        let slot =
            shared.store.borrow_mut().connect(addresses, Box::new(move || ring.notify_one()));
        match slot {
            Ok(slot) => {
                let shared = Rc::clone(&shared);
                tokio::task::spawn_local(connection::serve(shared, socket, slot, wake));
            }
            Err(failure) => {
                let mut text = Vec::new();
                super::reply::Reply::Error(failure).write(&mut text);
                drop(socket.try_write(&text));
            }
        }
    }
}
