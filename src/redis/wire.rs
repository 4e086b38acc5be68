//! A connection from its first attempt to its end: the socket, TLS, AUTH and SELECT, then replies.
//!
//! Invariant: the client hears of each attempt `on_up` at most once, and `on_down` once as the last.
//! It is up when the server has accepted every command that the connection begins with.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::settings::{Place, Settings};
use crate::codec::resp::reply::{Item, Malformed, Reader};
use crate::codec::resp::split::Splitter;
use crate::net::socket::{OpenError, dial, text_of};
use crate::net::tcp::Options;
use crate::net::tls::Session;
use crate::net::{Channel, End, Flow, Receiver, Stream};

/// A server that is silent although it was asked whether it is there, or takes nothing, for about
/// this long is given up. A server that only thinks answers for its system.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// Room for plaintext that is kept between two reads.
const KEPT: usize = 64 << 10;

/// Why what the server said ends the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused(pub(super) String);

/// Whose connection it is. Called in its task, except where it says so.
pub(super) trait Client: Send + Sync + 'static {
    fn settings(&self) -> &Settings;

    /// The commands it begins with.
    fn hello(&self) -> Vec<(&'static str, Vec<u8>)>;

    /// The server takes commands now.
    fn on_up(&self, attempt: u64, channel: Channel);

    /// Replies have come: their bytes and where each ends.
    fn on_replies(&self, attempt: u64, bytes: Cow<'_, [u8]>, ends: &[usize])
    -> Result<(), Refused>;

    /// Queued bytes have gone out; `left` are still queued.
    fn on_written(&self, _left: usize) {}

    /// There is no connection, or none any more.
    fn on_down(self: Arc<Self>, attempt: u64, was_up: bool, why: String);

    /// Sees to time limits for as long as it is polled; never ends.
    fn watch_time(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// Connects and carries the connection until it ends.
pub(super) async fn run<C: Client>(client: Arc<C>, attempt: u64) {
    let (was_up, why) = {
        let mut carried = pin!(carry(&client, attempt));
        let mut time = pin!(client.watch_time());
        tokio::select! {
            end = &mut carried => end,
            () = &mut time => carried.await,
        }
    };
    client.on_down(attempt, was_up, why);
}

async fn carry<C: Client>(client: &Arc<C>, attempt: u64) -> (bool, String) {
    let settings = client.settings();
    let limit = settings.connect_limit;
    let found = match &settings.place {
        // It has a limit of its own.
        Place::Found(found) => match found.0.find().await {
            Ok(address) => Some(Place::Tcp(address)),
            Err(why) => return (false, why),
        },
        Place::Tcp(_) | Place::Unix(_) => None,
    };
    let place = found.as_ref().unwrap_or(&settings.place);
    let deadline = Instant::now() + limit;
    let session = match &settings.tls {
        None => None,
        Some((tls, name)) => match Session::client(&certified(name, place), tls) {
            Ok(session) => Some(Arc::new(session)),
            Err(why) => return (false, why),
        },
    };
    let fate = Arc::new(Fate::default());
    let wire = Wire {
        client: Arc::clone(client),
        attempt,
        session,
        splitter: Splitter::new(settings.reply_limit),
        hello: VecDeque::new(),
        risen: false,
        plain: Vec::new(),
        fate: Arc::clone(&fate),
    };
    let opened = timeout_at(deadline, open(settings, place, wire)).await;
    let (stream, task) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(why)) => return (false, why),
        Err(_) => return (false, format!("no connection within {limit:?}")),
    };
    let mut task = pin!(task);
    tokio::select! {
        () = &mut task => {}
        () = sleep_until(deadline) => {
            if !fate.up.load(Ordering::SeqCst) {
                fate.end(format!("the server did not let this side in within {limit:?}"));
                stream.close(Duration::ZERO);
            }
            task.await;
        }
    }
    let why = fate.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    (fate.up.load(Ordering::SeqCst), why.unwrap_or_else(|| "closed".to_owned()))
}

/// What became of a connection.
#[derive(Default)]
struct Fate {
    up: AtomicBool,
    why: std::sync::Mutex<Option<String>>,
}

impl Fate {
    /// Notes why it ended, unless a reason is known.
    fn end(&self, why: String) {
        let mut known = self.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get_or_insert(why);
    }
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The name for which the certificate of a server has to be.
fn certified(name: &str, place: &Place) -> String {
    match place {
        Place::Tcp(address) if name.is_empty() => address.host.to_string(),
        _ => name.to_owned(),
    }
}

async fn open<C: Client>(
    settings: &Settings,
    place: &Place,
    wire: Wire<C>,
) -> Result<(Arc<Stream>, Task), String> {
    let system = |error: io::Error| text_of(&error);
    match place {
        Place::Found(_) => Err("the server was not found yet".to_owned()),
        Place::Tcp(address) => {
            let dialed = dial(&address.host, address.port, &settings.allows).await;
            let socket = dialed.map_err(|error| match error {
                OpenError::Refused(_) => format!("{error} (to allow it: connect in sandbox.toml)"),
                error => error.to_string(),
            })?;
            let options = Options { nodelay: true, dead_after: Some(DEAD_AFTER) };
            options.apply(&socket).map_err(system)?;
            let (stream, task) = Stream::tcp(socket, wire).map_err(system)?;
            Ok((stream, Box::pin(task)))
        }
        Place::Unix(path) => {
            let socket = UnixStream::connect(path).await.map_err(system)?;
            let (stream, task) = Stream::unix(socket, wire);
            Ok((stream, Box::pin(task)))
        }
    }
}

/// Takes what a connection brings.
struct Wire<C> {
    client: Arc<C>,
    attempt: u64,
    session: Option<Arc<Session>>,
    splitter: Splitter,
    /// Commands that were sent first and have no reply yet.
    hello: VecDeque<&'static str>,
    /// The client was told that it can begin.
    risen: bool,
    plain: Vec<u8>,
    fate: Arc<Fate>,
}

impl<C: Client> Wire<C> {
    /// Tells the client once the server has accepted everything.
    fn rise(&mut self, stream: &Arc<Stream>) {
        if self.risen || !self.hello.is_empty() {
            return;
        }
        if self.session.as_ref().is_none_or(|session| !session.is_handshaking()) {
            self.risen = true;
            self.fate.up.store(true, Ordering::SeqCst);
            let channel = Channel::new(Arc::clone(stream), self.session.clone());
            self.client.on_up(self.attempt, channel);
        }
    }

    fn end(&self, why: String) -> Flow {
        self.fate.end(why);
        Flow::Abort
    }

    fn feed(&mut self, stream: &Arc<Stream>, bytes: &[u8]) -> Result<(), String> {
        let mut said = Ok(());
        let Self { splitter, hello, client, attempt, .. } = self;
        let split = splitter.feed(bytes, |bytes, ends| {
            said = take(&**client, *attempt, hello, bytes, ends);
        });
        said?;
        split.map_err(|malformed| match malformed {
            Malformed::TooLong(_) => format!(
                "{malformed}, the limit is {} (config: redis_reply_limit, sandbox.toml: memory)",
                client.settings().reply_limit
            ),
            malformed => format!("protocol error: {malformed}"),
        })?;
        self.rise(stream);
        Ok(())
    }
}

/// Whether a connection goes on after replies that end at `ends`: somebody had `asked` for each, and
/// none says that this is not the master that was wanted.
pub(super) fn judge(
    settings: &Settings,
    asked: bool,
    replies: &[u8],
    ends: &[usize],
) -> Result<(), Refused> {
    if !asked {
        return Err(Refused("protocol error: a reply that nothing asked for".to_owned()));
    }
    if let Place::Found(found) = &settings.place
        && found.0.wants_master()
    {
        let starts = std::iter::once(&0).chain(ends);
        let mut each = starts.zip(ends).map(|(start, end)| &replies[*start..*end]);
        if each.any(|reply| reply.starts_with(b"-READONLY ")) {
            return Err(Refused("the server is a replica now".to_owned()));
        }
    }
    Ok(())
}

/// Takes replies: first those to the commands that the connection began with.
fn take<C: Client>(
    client: &C,
    attempt: u64,
    hello: &mut VecDeque<&'static str>,
    bytes: Cow<'_, [u8]>,
    ends: &[usize],
) -> Result<(), String> {
    let mut start = 0;
    let mut taken = 0;
    while let (Some(command), Some(end)) = (hello.front(), ends.get(taken)) {
        if let Some(Item::Error(text)) = Reader::new(&bytes[start..*end]).next_item() {
            return Err(format!("{command}: {}", String::from_utf8_lossy(text)));
        }
        hello.pop_front();
        start = *end;
        taken += 1;
    }
    if taken == ends.len() {
        return Ok(());
    }
    if taken == 0 {
        return client.on_replies(attempt, bytes, ends).map_err(|Refused(why)| why);
    }
    let ends: Vec<usize> = ends[taken..].iter().map(|end| end - start).collect();
    client.on_replies(attempt, Cow::Borrowed(&bytes[start..]), &ends).map_err(|Refused(why)| why)
}

impl<C: Client> Receiver for Wire<C> {
    fn on_start(&mut self, stream: &Arc<Stream>) -> Flow {
        if let Some(session) = &self.session
            && session.start_on(stream).is_err()
        {
            return Flow::Abort;
        }
        let channel = Channel::new(Arc::clone(stream), self.session.clone());
        let mut bytes = Vec::new();
        for (name, command) in self.client.hello() {
            self.hello.push_back(name);
            bytes.extend_from_slice(&command);
        }
        if !bytes.is_empty() && channel.write(&bytes).is_err() {
            return Flow::Abort;
        }
        self.rise(stream);
        Flow::Continue
    }

    fn on_bytes(&mut self, stream: &Arc<Stream>, bytes: &[u8]) -> Flow {
        let Some(session) = self.session.clone() else {
            return match self.feed(stream, bytes) {
                Ok(()) => Flow::Continue,
                Err(why) => self.end(why),
            };
        };
        let mut plain = std::mem::take(&mut self.plain);
        let received = session.receive(stream, bytes, &mut plain);
        // What came before a broken record is as good as if it had come alone.
        let fed = self.feed(stream, &plain);
        plain.clear();
        plain.shrink_to(KEPT);
        self.plain = plain;
        match (fed, received) {
            (Ok(()), Ok(false)) => Flow::Continue,
            (Ok(()), Ok(true)) => self.end("closed by the server".to_owned()),
            (Err(why), _) | (_, Err(why)) => self.end(why),
        }
    }

    fn on_eof(&mut self, _stream: &Arc<Stream>) -> Flow {
        let cut = self.session.as_ref().and_then(|session| session.at_end().err());
        let what = if self.splitter.is_empty() { "" } else { " in the middle of a reply" };
        self.end(cut.unwrap_or_else(|| format!("closed by the server{what}")))
    }

    fn on_written(&mut self, _stream: &Arc<Stream>, left: usize) {
        self.client.on_written(left);
    }

    fn on_end(&mut self, _stream: &Arc<Stream>, end: End) {
        let why = match &end {
            End::Failed(error) => text_of(error),
            End::Peer => "closed by the server".to_owned(),
            End::Closed | End::Lingered => end.to_string(),
        };
        self.fate.end(why);
    }
}
