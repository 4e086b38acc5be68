//! Boot: from a configuration to a running node.
//!
//! Order, as skynet's: environment, log service (handle 1, `.logger`), bootstrap service, then
//! the workers start.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bindings::BUILTIN;
use crate::cluster::{self, Cluster, Security, TlsFiles};
use crate::config::{ClusterKeys, ClusterSecret, Config, ConfigError, RedisKeys, Settings};
use crate::harbor::{HarborService, Harbors};
use crate::kernel::log::Logger;
use crate::kernel::node::Factory;
use crate::kernel::service::Idle;
use crate::kernel::stop::END_LIMIT;
use crate::kernel::{Actor, Clock, Kind, Launch, Message, Node, NodeOptions, Payload, Session};
use crate::net::Io;
use crate::net::socket::{SocketOptions, Sockets};
use crate::net::tls::{CertificateFiles, ClientOptions, Roots, Store};
use crate::process;
use crate::sandbox::{self, Protected, Sandbox};
use crate::shared;
use crate::store::{self, Fsync};
use crate::vm::actor::LuaActor;
use crate::vm::cache::Cache;
use crate::vm::channels::Channels;
use crate::vm::identifiers::Identifiers;
use crate::vm::interrupt;
use crate::vm::packages::Packages;
use crate::vm::schemas::Shelf;
use crate::vm::state::{Paths, Shared};
use crate::websocket;

/// The last folders of the path of skynet's own loader. A configuration that names it means the
/// loader that is built in here.
const SKYNET_LOADER: &str = "lualib/loader.lua";

/// Most lines, and bytes of long lines, that wait to be written. A script that logs without end
/// loses lines instead of filling the machine's memory.
const LOG_LINES: usize = 1 << 18;
/// See `LOG_LINES`.
const LOG_BYTES: usize = 64 << 20;

/// Why a node could not start.
#[derive(Debug)]
pub enum BootError {
    /// The log service could not be launched.
    Logger(String),
    /// The first service could not be launched.
    Bootstrap(String),
    /// A file that the config names is of no use.
    Config(ConfigError),
    /// The embedded store could not be started.
    Store(String),
}

impl fmt::Display for BootError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logger(service) => write!(formatter, "Can't launch {service} service"),
            Self::Config(error) => error.fmt(formatter),
            Self::Store(why) => formatter.write_str(why),
            Self::Bootstrap(line) => write!(formatter, "Bootstrap error : {line}"),
        }
    }
}

impl std::error::Error for BootError {}

/// Builds a node from its configuration and starts it.
///
/// # Errors
/// When the log service or the first service cannot be launched.
pub fn start(config: &Config, sandbox: Sandbox, clock: Clock) -> Result<Arc<Node>, BootError> {
    interrupt::install();
    let cluster = cluster_settings(&config.settings.cluster_keys)?;
    let settings = &config.settings;
    let io = Arc::new(Io::new());
    let options =
        SocketOptions { nodelay: settings.tcp_nodelay, send_limit: settings.socket_send_limit };
    let sockets = Sockets::new(Arc::clone(&io), options);
    let harbors = (settings.harbor != 0).then(|| Harbors::new(Arc::clone(&sockets)));
    let node = Node::new(
        NodeOptions {
            threads: settings.thread,
            harbor: settings.harbor,
            profile: settings.profile,
            endless_warning: settings.endless_warning,
            max_services: sandbox.services(),
            message_log_directory: settings.logpath.clone(),
            clock,
            poke: interrupt::poke,
        },
        factories(config, sandbox, Arc::clone(&io), sockets, cluster, harbors.clone()),
    );
    if let Some(harbors) = harbors {
        node.set_remote(harbors);
    }
    node.set_driver(io);
    for (key, value) in &config.environment {
        node.set_environment(key, value);
    }
    start_logger(&node, settings)?;
    for warning in &config.warnings {
        node.log(None, warning);
    }
    if let Some(keys) = &settings.redis_keys
        && let Err(why) = start_store(&node, keys)
    {
        end(&node);
        return Err(BootError::Store(why));
    }
    let line = settings.bootstrap.as_str();
    let (kind, arguments) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let launched = node.launch(kind, arguments.trim_start());
    let Ok(bootstrap) = launched else {
        end(&node);
        return Err(BootError::Bootstrap(line.to_owned()));
    };
    node.set_bootstrap(bootstrap.handle);
    node.start();
    Ok(node)
}

/// Ends a node that does not come up. The log may have the reason; it is written before.
fn end(node: &Arc<Node>) {
    node.start();
    node.abort();
    node.wait(Some(END_LIMIT));
}

/// Starts the embedded store, which ends with the node.
fn start_store(node: &Arc<Node>, keys: &RedisKeys) -> Result<(), String> {
    let config = store::Config {
        port: keys.port,
        password: keys.password.as_ref().map(|password| password.as_bytes().to_vec()),
        file: keys.file.clone(),
        fsync: Fsync::parse(keys.fsync.as_bytes()).unwrap_or_default(),
        maxmemory: keys.memory,
        ..store::Config::default()
    };
    let (weak, file) = (Arc::downgrade(node), keys.file.clone());
    let log = move |line: &str| {
        if let Some(node) = weak.upgrade() {
            node.log(None, line);
        }
    };
    let store = store::Server::start(config, store::Clock::System, Arc::new(log))?;
    let address = store.address().to_string();
    let kept = file.map_or("in memory only".to_owned(), |file| format!("in {}", file.display()));
    node.log(
        None,
        &format!(
            "redis = \"embedded\": an embedded store serves at {address}, its data {kept}. It is for \
             one node and for development; a Redis server takes its place by one line of the config"
        ),
    );
    node.set_environment(b"redis_address", address.as_bytes());
    node.keep(store);
    Ok(())
}

fn start_logger(node: &Arc<Node>, settings: &Settings) -> Result<(), BootError> {
    let argument = settings.logger.as_deref().unwrap_or_default().to_string_lossy().into_owned();
    let launched = node.launch(&settings.logservice, &argument);
    let Ok(logger) = launched else {
        return Err(BootError::Logger(settings.logservice.clone()));
    };
    logger.limit_mailbox(LOG_LINES);
    logger.limit_mailbox_bytes(LOG_BYTES);
    node.registry.name(b"logger", logger.handle);
    node.set_logger(logger.handle);
    Ok(())
}

fn factories(
    config: &Config,
    sandbox: Sandbox,
    io: Arc<Io>,
    sockets: Arc<Sockets>,
    cluster: cluster::Settings,
    harbors: Option<Arc<Harbors>>,
) -> HashMap<&'static str, Factory> {
    let services = Arc::new(Shared {
        cache: Cache::new(),
        arenas: Arc::default(),
        sandbox,
        paths: paths(config),
        cluster: Cluster::new(Arc::clone(&io), cluster),
        sockets,
        websockets: (
            websocket::Deadlines::new(Arc::clone(&io)),
            websocket_limits(&config.settings),
        ),
        identifiers: Identifiers::new(),
        schemas: Shelf::default(),
        redis_limits: (config.settings.redis_reply_limit, config.settings.socket_send_limit),
        tls: tls(&config.settings),
        data: shared::Store::new(config.settings.shared_limit),
        channels: Channels::default(),
        packages: Packages::default(),
        io,
        library: &BUILTIN,
    });
    let lua: Factory = Box::new(move |node, service, arguments| {
        Ok(Launch {
            actor: Box::new(LuaActor::new(node, service, &services, arguments)),
            first: Some(Message::empty(None, Session::NONE, Kind::TEXT)),
        })
    });
    let logger: Factory = Box::new(|_, _, arguments| {
        let logger = if arguments.is_empty() {
            Logger::stdout()
        } else {
            Logger::file(Path::new(arguments)).map_err(|error| format!("{arguments}: {error}"))?
        };
        Ok(Launch { actor: Box::new(logger), first: None })
    });
    // A node that is alone has this service too: cdummy starts it, so that addresses and log are
    // skynet's.
    let harbor: Factory = Box::new(move |node, service, arguments| {
        let actor: Box<dyn Actor> = match &harbors {
            None => Box::new(Idle),
            Some(harbors) => Box::new(HarborService::new(node, service, harbors, arguments)?),
        };
        Ok(Launch { actor, first: None })
    });
    HashMap::from([("snlua", lua), ("logger", logger), ("harbor", harbor)])
}

fn websocket_limits(settings: &Settings) -> websocket::Limits {
    let keys = &settings.websocket_keys;
    websocket::Limits {
        frame: keys.frame << 10,
        message: keys.message << 10,
        write: keys.write << 10,
        handshake: keys.handshake,
        close: keys.close,
        ping: keys.ping,
        accept_unmasked: keys.accept_unmasked,
    }
}

fn tls(settings: &Settings) -> Store {
    let or = |file: &Option<PathBuf>, usual: &str| file.clone().unwrap_or_else(|| usual.into());
    Store::new(
        ClientOptions {
            roots: settings.tls_ca.clone().map_or(Roots::System, Roots::File),
            verify: settings.tls_verify,
            ..ClientOptions::default()
        },
        CertificateFiles {
            certificate: or(&settings.certfile, "./server-cert.pem"),
            key: or(&settings.keyfile, "./server-key.pem"),
        },
        settings.tls_handshake_timeout,
    )
}

fn cluster_settings(keys: &ClusterKeys) -> Result<cluster::Settings, BootError> {
    let allowed = |names: &Vec<String>| names.iter().map(|name| name.as_bytes().into()).collect();
    Ok(cluster::Settings {
        node_name: process::node_name().into(),
        dead_after: keys.dead_after,
        connect_limit: keys.connect_limit,
        call_limit: Some(keys.call_limit).filter(|limit| !limit.is_zero()),
        message_limit: keys.message_limit,
        allowed: keys.allow.as_ref().map(allowed),
        security: security(keys)?.map(Arc::new),
    })
}

fn security(keys: &ClusterKeys) -> Result<Option<Security>, BootError> {
    let secret = keys.secret.as_ref().map(ClusterSecret::as_bytes);
    let Some(tls) = &keys.tls else { return Ok(secret.map(|secret| Security::new(Some(secret)))) };
    let files = TlsFiles {
        own: CertificateFiles { certificate: tls.certificate.clone(), key: tls.key.clone() },
        authorities: tls.authorities.clone(),
    };
    let made = Security::new(secret).with_tls(files);
    made.map(Some).map_err(|why| BootError::Config(tls.refuse(&why)))
}

fn paths(config: &Config) -> Paths {
    let settings = &config.settings;
    let working_directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let own_loader = !settings.lualoader.ends_with(SKYNET_LOADER);
    Paths {
        luaservice: settings.luaservice.as_bytes().to_vec(),
        lua_path: settings.lua_path.as_bytes().to_vec(),
        lua_cpath: settings.lua_cpath.as_bytes().to_vec(),
        names_lua_cpath: settings.lua_cpath_named,
        preload: settings.preload.as_deref().map(bytes),
        compat51: settings.compat51,
        loader: own_loader.then(|| bytes(&settings.lualoader)),
        protected: protected(config, &working_directory),
        working_directory,
    }
}

/// What decides about the next start of the node and about its peers: no service may change it on
/// the side.
fn protected(config: &Config, working_directory: &Path) -> Protected {
    let policy = config.settings.sandbox.as_deref().unwrap_or(Path::new(sandbox::DEFAULT_FILE));
    let program = std::env::current_exe().ok();
    let launcher = Path::new("./node");
    let keys = &config.settings.cluster_keys;
    let secret = keys.secret.as_ref().and_then(|secret| secret.file.as_deref());
    let tls = keys.tls.iter().flat_map(|tls| [&*tls.certificate, &*tls.key, &*tls.authorities]);
    let store = config.settings.redis_keys.as_ref().and_then(|keys| keys.file.as_deref());
    let own = [Some(policy), Some(&*config.file), program.as_deref(), Some(launcher)];
    let files = own.into_iter().chain([secret, store]);
    let files = files.chain(tls.map(Some));
    Protected::new(files.flatten(), working_directory)
}

/// Opens the log files anew: the log service's, and the message logs of single services.
pub fn reopen_log(node: &Node) {
    node.reopen_message_logs();
    if let Some(logger) = node.logger() {
        let message = Message {
            source: None,
            session: Session::NONE,
            kind: Kind::SYSTEM,
            payload: Payload::EMPTY,
        };
        let _ = node.send_to(logger, message);
    }
}
