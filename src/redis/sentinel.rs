//! Sentinels: where the master with a name is.
//!
//! Each sentinel is asked in turn until one names a server that says itself that it is the master.
//! While a master is being replaced this takes more than one round.
//!
//! The `redis` crate has the same, but connects to sentinels, and to whatever they name, past the
//! policy of the service; here it goes over the same connections as everything else.
//! Invariant: an address that is found has said that it is a master.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::find::{Finder, Finding};
use super::settings::{Login, Place, Settings};
use super::wire::{self, Client, Refused};
use crate::codec::resp::command::put_command;
use crate::codec::resp::reply::{Item, Reader};
use crate::net::socket::Allows;
use crate::net::tls::ClientSettings;
use crate::net::{Address, Channel};

/// Time that one sentinel, or the server that it names, is given.
const PATIENCE: Duration = Duration::from_secs(1);

/// Pause before the second round while a master is being replaced; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest reply to the questions here.
const LONGEST_REPLY: usize = 64 << 10;

/// Most bytes of a question.
const LONGEST_QUESTION: usize = 64 << 10;

/// What is asked, and of whom.
pub struct Sentinels {
    /// The one that has answered last is first.
    servers: Mutex<Vec<Address>>,
    master: String,
    options: SentinelOptions,
}

/// How to speak with sentinels and servers.
pub struct SentinelOptions {
    /// Who this side is at the sentinels.
    pub sentinel_login: Login,
    /// Who this side is at the servers.
    pub login: Login,
    /// Through TLS, and the name for which certificates have to be if it is not that of the host.
    pub tls: Option<(Arc<ClientSettings>, Option<String>)>,
    /// Time for finding the master.
    pub limit: Duration,
    /// Policy of the service.
    pub allows: Arc<Allows>,
}

/// Why a round has found nothing.
enum Lost {
    /// A sentinel has named a server that is not the master, or not there.
    Changing(String),
    /// There is no use in asking again.
    Hopeless(String),
}

impl Sentinels {
    /// Those that know the master called `master`.
    pub const fn new(servers: Vec<Address>, master: String, options: SentinelOptions) -> Self {
        Self { servers: Mutex::new(servers), master, options }
    }

    fn servers(&self) -> Vec<Address> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn search(&self) -> Result<Address, String> {
        let until = Instant::now() + self.options.limit;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.round().await {
                Ok(found) => return Ok(found),
                Err(Lost::Hopeless(why)) => return Err(why),
                Err(Lost::Changing(why)) if Instant::now() + pause > until => return Err(why),
                Err(Lost::Changing(_)) => {}
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// Asks each sentinel once, until the master is found.
    async fn round(&self) -> Result<Address, Lost> {
        let (mut silent, mut ignorant, mut changing) = (Vec::new(), Vec::new(), None);
        for server in self.servers() {
            match self.named_by(&server).await {
                Err(why) => silent.push(format!("{server}: {why}")),
                Ok(None) => ignorant.push(server.to_string()),
                Ok(Some(named)) => {
                    self.prefer(&server);
                    match self.role_of(&named).await.as_deref() {
                        Ok("master") => return Ok(named),
                        Ok(role) => changing = Some(format!("{named} is a {role}")),
                        Err(why) => changing = Some(format!("{named}: {why}")),
                    }
                }
            }
        }
        let master = &self.master;
        Err(match changing {
            Some(why) => Lost::Changing(format!("the master called '{master}' is lost: {why}")),
            None if ignorant.is_empty() => {
                Lost::Hopeless(format!("no sentinel answers: {}", silent.join("; ")))
            }
            None => {
                let asked = ignorant.join(", ");
                Lost::Hopeless(format!("no master is called '{master}' at the sentinels {asked}"))
            }
        })
    }

    fn prefer(&self, server: &Address) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = servers.iter().position(|other| other == server) {
            servers[..=at].rotate_right(1);
        }
    }

    /// The server that a sentinel names.
    async fn named_by(&self, sentinel: &Address) -> Result<Option<Address>, String> {
        let login = &self.options.sentinel_login;
        let question = [&b"SENTINEL"[..], b"GET-MASTER-ADDR-BY-NAME", self.master.as_bytes()];
        let reply = self.ask(sentinel, login, &question).await?;
        let mut reader = Reader::new(&reply);
        match reader.next_item() {
            Some(Item::Nil) => Ok(None),
            Some(Item::Error(text)) => Err(String::from_utf8_lossy(text).into_owned()),
            Some(Item::Array(2)) => {
                let (host, port) = (text(reader.next_item()), text(reader.next_item()));
                let port = port.as_deref().and_then(|port| port.parse().ok());
                match (host, port) {
                    (Some(host), Some(port)) => Ok(Some(Address { host: host.into(), port })),
                    _ => Err("an answer that is no address".to_owned()),
                }
            }
            _ => Err("an answer that is no address".to_owned()),
        }
    }

    /// What a server says that it is.
    async fn role_of(&self, server: &Address) -> Result<String, String> {
        let reply = self.ask(server, &self.options.login, &[b"ROLE"]).await?;
        let mut reader = Reader::new(&reply);
        match reader.next_item() {
            Some(Item::Error(text)) => Err(String::from_utf8_lossy(text).into_owned()),
            Some(Item::Array(_)) => {
                text(reader.next_item()).ok_or_else(|| "an answer without a role".to_owned())
            }
            _ => Err("an answer without a role".to_owned()),
        }
    }

    /// Asks one server one thing.
    async fn ask(&self, server: &Address, login: &Login, question: &[&[u8]]) -> Answer {
        let allows = Arc::clone(&self.options.allows);
        let settings = Settings {
            place: Place::Tcp(server.clone()),
            login: Login { auth: login.auth.clone(), db: None },
            tls: self.options.tls.as_ref().map(|(tls, name)| {
                let name = name.clone().unwrap_or_else(|| server.host.to_string());
                (Arc::clone(tls), name)
            }),
            connect_limit: PATIENCE,
            command_limit: None,
            reply_limit: LONGEST_REPLY,
            send_limit: LONGEST_QUESTION,
            allows: Box::new(move |address| allows(address)),
        };
        let mut bytes = Vec::new();
        put_command(&mut bytes, question);
        let (answer, answered) = oneshot::channel();
        let client = Question { settings, bytes, answer: Mutex::new(Some(answer)) };
        let asking: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(wire::run(Arc::new(client), 0));
        match timeout(PATIENCE, asking).await {
            Ok(()) => answered.await.unwrap_or_else(|_| Err("no answer".to_owned())),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }
}

fn text(item: Option<Item<'_>>) -> Option<String> {
    match item {
        Some(Item::Bulk(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

impl Finder for Sentinels {
    fn find(&self) -> Finding<'_> {
        Box::pin(self.search())
    }

    fn name(&self) -> String {
        format!("master '{}'", self.master)
    }

    fn wants_master(&self) -> bool {
        true
    }
}

/// A reply, or why there is none.
type Answer = Result<Vec<u8>, String>;

/// A connection for one question.
struct Question {
    settings: Settings,
    bytes: Vec<u8>,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl Question {
    fn end(&self, outcome: Answer) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answer) = answer {
            // Whoever asked may have lost patience.
            let _ = answer.send(outcome);
        }
    }
}

impl Client for Question {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn hello(&self) -> Vec<(&'static str, Vec<u8>)> {
        self.settings.login.commands(None)
    }

    fn on_up(&self, _attempt: u64, channel: Channel) {
        // Of an end the connection's task tells.
        let _ = channel.write(&self.bytes);
    }

    fn on_replies(
        &self,
        _attempt: u64,
        bytes: Cow<'_, [u8]>,
        ends: &[usize],
    ) -> Result<(), Refused> {
        let end = ends.first().copied().unwrap_or_default();
        self.end(Ok(bytes[..end].to_vec()));
        Err(Refused("answered".to_owned()))
    }

    fn on_down(self: Arc<Self>, _attempt: u64, _was_up: bool, why: String) {
        self.end(Err(why));
    }
}
