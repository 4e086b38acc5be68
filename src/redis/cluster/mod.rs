//! A cluster of redis-servers: commands go to the server that has the slot of their key, over the
//! connections of the `redis` crate, one to each server.
//!
//! The crate knows slots and connections; what happens to a command that could not be done at once is
//! decided here. A command that no server has taken is sent again, up to `TRIES` times, so that a slot
//! that moves or a master that is replaced costs time and no error. A command that may have been
//! taken by a server whose connection broke is sent again only if it changes nothing.
//!
//! Invariant: each command is answered once, and a command that changes something is taken at most
//! once.
//! Not here: subscriptions (`lua/lib/skynet/db/redis/cluster.lua`), a single server (`redis`).

mod connect;
mod reply;
pub mod slot;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::OnceCell;
use tokio::time::sleep;

pub use connect::{Allows, Options, ReadFrom, Tls};
pub use reply::reason;
use slot::Unroutable;

/// How often a command is sent before it fails; skynet's figure.
const TRIES: u32 = 16;

/// Pause before the third try; it doubles with each further one. A slot that moves is found at
/// once, a master that is replaced within seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Longest pause: with `TRIES`, a command waits about five seconds for a new master.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// Connections to servers that slots are just moving to; more are opened anew each time.
const MOST_ASKED: usize = 64;

/// One command on its way.
pub struct Command {
    arguments: Vec<Vec<u8>>,
    slot: u16,
    is_read: bool,
}

impl Command {
    /// A command of a name and arguments.
    ///
    /// # Errors
    /// When it has no place in a cluster.
    pub fn new(mut arguments: Vec<Vec<u8>>) -> Result<Self, String> {
        let given = arguments.first().cloned().unwrap_or_default();
        if let Some(name) = arguments.first_mut() {
            name.make_ascii_uppercase();
        }
        let given = String::from_utf8_lossy(&given);
        let slot = slot::route(&arguments).map_err(|why| match why {
            Unroutable::NoKey => format!("No way to dispatch this command to Redis Cluster: {given}"),
            Unroutable::ManySlots => {
                format!("{} - all keys must map to the same key slot", given.to_lowercase())
            }
        })?;
        let is_read = arguments.first().is_some_and(|name| slot::is_read(name));
        Ok(Self { arguments, slot, is_read })
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(self.arguments.first().map_or(b"", Vec::as_slice)).into_owned()
    }

    fn packed(&self) -> Cmd {
        let mut packed = Cmd::new();
        for argument in &self.arguments {
            packed.arg(argument.as_slice());
        }
        packed
    }
}

/// A cluster as one client sees it.
pub struct Cluster {
    options: Options,
    name: Box<str>,
    /// The connections that new commands take.
    current: Mutex<Arc<Connections>>,
    /// Connections to servers that slots are just moving to.
    asked: Mutex<HashMap<String, MultiplexedConnection>>,
    /// Servers of the cluster beside those given: the latter may be gone one day.
    known: Mutex<Vec<(String, u16)>>,
}

/// Connections to all servers. They are opened once, by the first command that needs them.
#[derive(Default)]
struct Connections(OnceCell<Result<ClusterConnection, String>>);

/// What is to be done with a command that has failed.
enum Next {
    /// No server has taken it.
    Again(String),
    /// The same, and the slot is just moving to this server.
    Ask(String, String),
    /// It is over.
    Fail(String),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// A cluster without connections yet.
    ///
    /// # Errors
    /// When the options contradict each other.
    pub fn new(options: Options) -> Result<Self, String> {
        let name = options.name().into();
        options.client(&[])?;
        Ok(Self {
            options,
            name,
            current: Mutex::default(),
            asked: Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// How errors call it.
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// Runs a command, waiting for its reply. The bytes are those of the reply, which may be an error
    /// of the server.
    ///
    /// # Errors
    /// When no server could take the command, or it is unknown whether one has.
    pub async fn run(&self, command: &Command) -> Result<Vec<u8>, String> {
        let value = match self.options.command_limit {
            None => self.attempt(command).await?,
            Some(limit) => tokio::time::timeout(limit, self.attempt(command)).await.map_err(|_| {
                let (name, limit) = (command.name(), limit.as_millis());
                format!("redis {}: no answer to {name} within {limit} ms", self.name)
            })??,
        };
        Ok(reply::bytes_of(&value))
    }

    async fn attempt(&self, command: &Command) -> Result<Value, String> {
        let mut last = String::new();
        let mut ask: Option<String> = None;
        for tried in 0..TRIES {
            sleep(pause_before(tried)).await;
            let result = match ask.take() {
                None => self.send(command).await,
                Some(to) => self.send_asking(command, &to).await,
            };
            match result {
                Ok(value) => return Ok(value),
                Err(Next::Fail(why)) => return Err(why),
                Err(Next::Again(why)) => last = why,
                Err(Next::Ask(to, why)) => {
                    ask = Some(to);
                    last = why;
                }
            }
        }
        if is_of_the_cluster(&last) {
            return Err(last);
        }
        Err(format!(
            "Too many Cluster redirections?,maybe node is disconnected (last error: {last:?})"
        ))
    }

    /// Sends a command to the server that has its slot.
    async fn send(&self, command: &Command) -> Result<Value, Next> {
        let connections = Arc::clone(&lock(&self.current));
        let opened = connections.0.get_or_init(|| self.open()).await;
        let mut connection = match opened {
            Ok(connection) => connection.clone(),
            Err(why) => {
                self.replace(&connections);
                return Err(Next::Fail(why.clone()));
            }
        };
        let slot = Slot::new(command.slot).ok_or_else(|| Next::Fail("no such slot".to_owned()))?;
        let from = if command.is_read && self.options.read_from != ReadFrom::Master {
            SlotAddr::ReplicaOptional
        } else {
            SlotAddr::Master
        };
        let route = SingleNodeRoutingInfo::SpecificNode(Route::with_slot(slot, from));
        let sent = connection.route_command(command.packed(), RoutingInfo::SingleNode(route)).await;
        sent.map_err(|error| {
            if is_broken(&error) {
                self.replace(&connections);
            }
            self.judge(command, &error)
        })
    }

    /// Sends a command to the server that its slot is just moving to.
    async fn send_asking(&self, command: &Command, to: &str) -> Result<Value, Next> {
        let known = lock(&self.asked).get(to).cloned();
        let mut connection = match known {
            Some(connection) => connection,
            None => {
                let opened = self.options.connect(to).await;
                // The old server has the slot still, and says more.
                let opened = opened.map_err(Next::Again)?;
                let mut asked = lock(&self.asked);
                if asked.len() >= MOST_ASKED {
                    asked.clear();
                }
                asked.insert(to.to_owned(), opened.clone());
                opened
            }
        };
        // Both in one write: another command between them would take the leave for itself.
        let mut both = Pipeline::new();
        both.add_command(redis::cmd("ASKING")).add_command(command.packed());
        let answers = connection.send_packed_commands(&both, 1, 1).await;
        let answer = answers.and_then(|answers| {
            let answer = answers.into_iter().next();
            answer.ok_or_else(|| RedisError::from((ErrorKind::Client, "no answer came")))
        });
        match answer {
            Ok(Value::ServerError(error)) if error.kind().is_some_and(is_passing) => {
                Err(self.judge(command, &error.into()))
            }
            Ok(value) => Ok(value),
            Err(error) => {
                lock(&self.asked).remove(to);
                Err(self.judge(command, &error))
            }
        }
    }

    fn judge(&self, command: &Command, error: &RedisError) -> Next {
        let why = reason(error);
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => match error.redirect_node() {
                Some((to, _)) => Next::Ask(to.to_owned(), why),
                None => Next::Again(why),
            },
            ErrorKind::Server(kind) if is_passing(kind) => Next::Again(why),
            ErrorKind::ClusterConnectionNotFound => Next::Again(why),
            ErrorKind::Io | ErrorKind::Parse if command.is_read => Next::Again(why),
            ErrorKind::Io | ErrorKind::Parse => Next::Fail(format!(
                "redis {}: connection lost during {} (slot {}), which may have been done: {why}",
                self.name,
                command.name(),
                command.slot
            )),
            _ => Next::Fail(format!("redis {}: {}: {why}", self.name, command.name())),
        }
    }

    /// Opens connections to all servers.
    async fn open(&self) -> Result<ClusterConnection, String> {
        let known = lock(&self.known).clone();
        let client: ClusterClient = self.options.client(&known)?;
        let unreachable = |error: RedisError| {
            let (name, why) = (&self.name, reason(&error));
            format!("Can't reach a single startup node. (redis {name}: {why})")
        };
        let mut connection = client.get_async_connection().await.map_err(unreachable)?;
        let mut ask = redis::cmd("CLUSTER");
        ask.arg("SLOTS");
        let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        if let Ok(slots) = connection.route_command(ask, route).await {
            let servers = connect::servers(&slots);
            if !servers.is_empty() {
                *lock(&self.known) = servers;
            }
        }
        Ok(connection)
    }

    /// Sees to it that the next command opens connections anew. Commands that are under way go on with
    /// the old ones, which are closed behind the last of them.
    fn replace(&self, old: &Arc<Connections>) {
        let mut current = lock(&self.current);
        if Arc::ptr_eq(&current, old) {
            *current = Arc::default();
        }
    }

    /// Closes the connections, behind the commands that are under way.
    pub fn close(&self) {
        *lock(&self.current) = Arc::default();
        lock(&self.asked).clear();
    }
}

/// How long a command waits before it is sent once more.
fn pause_before(tried: u32) -> Duration {
    match tried.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

/// Whether the server has refused a command that it, or another, will take soon.
fn is_passing(kind: ServerErrorKind) -> bool {
    use ServerErrorKind as Kind;
    matches!(
        kind,
        Kind::Moved
            | Kind::Ask
            | Kind::TryAgain
            | Kind::ClusterDown
            | Kind::MasterDown
            | Kind::BusyLoading
            | Kind::ReadOnly
    )
}

/// Whether connections have to be opened anew.
fn is_broken(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound
    )
}

/// Whether the last answer says more than that there were too many.
fn is_of_the_cluster(last: &str) -> bool {
    let kind = last.split(' ').next().unwrap_or_default();
    ["TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "LOADING", "READONLY"].contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_waits_some_seconds_for_a_new_master() {
        let all: Duration = (0..TRIES).map(pause_before).sum();
        assert!((4..8).contains(&all.as_secs()), "{all:?}");
        assert!(pause_before(0).is_zero() && pause_before(1).is_zero());
    }

    #[test]
    fn a_command_that_has_no_place_is_refused_as_it_was_written() {
        let error = |words: &[&str]| {
            let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            Command::new(words).err().unwrap()
        };
        assert_eq!(error(&["info"]), "No way to dispatch this command to Redis Cluster: info");
        assert_eq!(
            error(&["EVAL", "code", "2", "a", "b"]),
            "eval - all keys must map to the same key slot"
        );
    }
}
