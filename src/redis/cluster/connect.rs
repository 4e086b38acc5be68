//! Connecting to the servers of a cluster: options, the policy of the service, and which servers
//! there are.
//!
//! Invariant: no server is connected to at an address that the policy refuses.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder, NodeAddress};
use redis::cluster_read_routing::{RandomReplicaStrategy, ReadCandidates, ReadRoutingStrategy};
use redis::io::AsyncDNSResolver;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo, RedisError, RedisFuture,
    TlsCertificates, TlsMode, Value,
};
use tokio::net::lookup_host;

use super::reason;
use crate::net::tls::{ClientOptions, Roots};

/// A server that is silent for this long, or takes nothing, is given up: its host is gone.
const DEAD_AFTER: Duration = Duration::from_secs(15);

/// Says which addresses a service may connect to.
pub type Allows = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// Where commands that change nothing are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReadFrom {
    /// To the master.
    #[default]
    Master,
    /// To the master, or to a replica while it cannot be reached.
    MasterFirst,
    /// To a replica, if there is one.
    Replica,
}

/// What is known of a cluster at the beginning.
#[derive(Clone)]
pub struct Options {
    /// Some of its servers, at least one.
    pub servers: Vec<(String, u16)>,
    /// Name of the user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Number of the database; clusters have 0 alone, unless the server is a special one.
    pub database: i64,
    /// Where reads go.
    pub read_from: ReadFrom,
    /// Time for a connection to come up.
    pub connect_limit: Duration,
    /// Time for a command with all its tries; `None` is no limit.
    pub command_limit: Option<Duration>,
    /// Through TLS.
    pub tls: Option<Tls>,
    /// Policy of the service.
    pub allows: Allows,
}

/// Whom to trust, and who this side is.
#[derive(Clone)]
pub struct Tls {
    mode: TlsMode,
    certificates: TlsCertificates,
}

impl Tls {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(options: &ClientOptions) -> Result<Self, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("TLS: {}: {error}", path.display()))
        };
        let root_cert = match &options.roots {
            Roots::File(path) if options.verify => Some(read(path)?),
            _ => None,
        };
        let client_tls = match &options.certificate {
            None => None,
            Some(files) => Some(ClientTlsConfig {
                client_cert: read(&files.certificate)?,
                client_key: read(&files.key)?,
            }),
        };
        let mode = if options.verify { TlsMode::Secure } else { TlsMode::Insecure };
        Ok(Self { mode, certificates: TlsCertificates { client_tls, root_cert } })
    }
}

impl Options {
    /// What the cluster is called in errors.
    pub(super) fn name(&self) -> String {
        let (host, port) = self.servers.first().map_or(("?", 0), |(host, port)| (host, *port));
        format!("cluster {host}:{port}")
    }

    fn tcp() -> TcpSettings {
        let keepalive = TcpKeepalive::new()
            .with_time(DEAD_AFTER / 3)
            .with_interval(DEAD_AFTER / 3)
            .with_retries(2);
        let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(DEAD_AFTER);
        settings
    }

    fn info(&self, host: &str, port: u16) -> Result<ConnectionInfo, RedisError> {
        let mut redis = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_db(self.database)
            .set_skip_set_lib_name();
        if let Some(username) = &self.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        let host = host.to_owned();
        let address = match &self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(tls) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: matches!(tls.mode, TlsMode::Insecure),
                tls_params: None,
            },
        };
        let info = address.into_connection_info()?;
        Ok(info.set_tcp_settings(Self::tcp()).set_redis_settings(redis))
    }

    /// The crate's client, which tries the servers given and `known` ones.
    pub(super) fn client(&self, known: &[(String, u16)]) -> Result<ClusterClient, String> {
        let made = || {
            let mut servers: Vec<_> = self.servers.iter().chain(known).collect();
            servers.sort();
            servers.dedup();
            let infos = servers.iter().map(|(host, port)| self.info(host, *port));
            let infos = infos.collect::<Result<Vec<_>, _>>()?;
            let builder = ClusterClientBuilder::new(infos)
                // What is sent again, and when, is decided here.
                .retries(0)
                .connection_timeout(self.connect_limit)
                .tcp_settings(Self::tcp())
                .async_dns_resolver(Resolver(Arc::clone(&self.allows)));
            let builder = match &self.tls {
                None => builder,
                Some(tls) => builder.tls(tls.mode).certs(tls.certificates.clone()),
            };
            match self.read_from {
                ReadFrom::Master => builder,
                ReadFrom::MasterFirst => builder.read_routing_strategy(MasterFirst),
                ReadFrom::Replica => builder.read_routing_strategy(RandomReplicaStrategy),
            }
            .build()
        };
        made().map_err(|error: RedisError| format!("redis {}: {}", self.name(), reason(&error)))
    }

    /// A connection to one server, `host:port`.
    pub(super) async fn connect(&self, server: &str) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_limit))
            .set_response_timeout(None)
            .set_dns_resolver(Resolver(Arc::clone(&self.allows)));
        let connecting = async {
            let address = NodeAddress::try_from(server)?;
            let info = self.info(address.host(), address.port())?;
            let client = match &self.tls {
                Some(tls) if matches!(tls.mode, TlsMode::Secure) => {
                    Client::build_with_tls(info, tls.certificates.clone())?
                }
                _ => Client::open(info)?,
            };
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        let connected: Result<_, RedisError> = connecting.await;
        connected.map_err(|error| format!("{server}: {}", reason(&error)))
    }
}

/// Reads go to the master; the crate takes a replica while that is not connected.
#[derive(Default)]
struct MasterFirst;

impl ReadRoutingStrategy for MasterFirst {
    fn route_read<'a>(&self, candidates: &ReadCandidates<'a>) -> &'a NodeAddress {
        match candidates {
            ReadCandidates::AnyNode(all) => all.primary(),
            ReadCandidates::ReplicasOnly(replicas) => replicas.replicas().first(),
        }
    }
}

/// Looks names up, and leaves out what the policy refuses.
struct Resolver(Allows);

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let (allowed, refused): (Vec<_>, Vec<_>) =
                lookup_host((host, port)).await?.partition(|address| (self.0)(*address));
            match refused.first() {
                Some(address) if allowed.is_empty() => {
                    let text = format!("the sandbox refuses {address}");
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, text).into())
                }
                _ => Ok(Box::new(allowed.into_iter()) as Box<dyn Iterator<Item = _> + Send>),
            }
        })
    }
}

/// The servers in an answer to CLUSTER SLOTS.
pub(super) fn servers(slots: &Value) -> Vec<(String, u16)> {
    let Value::Array(ranges) = slots else { return Vec::new() };
    let mut servers: Vec<_> = ranges.iter().flat_map(servers_of_range).collect();
    servers.sort();
    servers.dedup();
    servers
}

/// First slot, last slot, then servers: host, port, more.
fn servers_of_range(range: &Value) -> impl Iterator<Item = (String, u16)> {
    let servers = match range {
        Value::Array(parts) => parts.get(2..).unwrap_or_default(),
        _ => &[],
    };
    servers.iter().filter_map(|server| {
        let Value::Array(server) = server else { return None };
        let [Value::BulkString(host), Value::Int(port), ..] = server.as_slice() else { return None };
        let host = str::from_utf8(host).ok().filter(|host| !host.is_empty())?;
        Some((host.to_owned(), u16::try_from(*port).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_from_the_slots() {
        let slots = "*2\r\n*4\r\n:0\r\n:9\r\n*3\r\n$1\r\na\r\n:1\r\n$2\r\nid\r\n*2\r\n$1\r\nb\r\n:2\r\n\
                     *3\r\n:10\r\n:11\r\n*2\r\n$1\r\na\r\n:1\r\n";
        let value = redis::parse_redis_value(slots.as_bytes()).unwrap();
        assert_eq!(servers(&value), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(servers(&Value::Nil), []);
    }
}
