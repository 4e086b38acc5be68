//! Opening, listening, and what goes wrong with them.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Command;

use tokio::sync::Notify;

use super::*;
use crate::net::tcp::{BACKLOG, accept, bind};

/// Set in the process that a test starts for itself.
const CHILD: &str = "NODE_TEST_FEW_DESCRIPTORS";

fn attempt(io: &Driven, address: &str, limit: Duration) -> io::Result<tokio::net::TcpStream> {
    let address = Address::parse(address).unwrap();
    io.handle().unwrap().block_on(connect(&address, Options::default(), limit))
}

/// Accepts on a free port. Accepted connections and failures come through the channels.
struct Accepting {
    number: SocketAddr,
    stop: Arc<Notify>,
    accepted: Events<(tokio::net::TcpStream, SocketAddr)>,
    failed: Events<(String, u64)>,
    task: tokio::task::JoinHandle<()>,
}

fn accepting(io: &Driven, options: Options) -> Accepting {
    let runtime = io.handle().unwrap();
    let address = Address::parse("127.0.0.1:0").unwrap();
    let listener = runtime.block_on(bind(&address, BACKLOG)).unwrap();
    let number = listener.local_addr().unwrap();
    let stop = Arc::new(Notify::new());
    let (tell, accepted) = mpsc::channel();
    let (tell_failure, failed) = mpsc::channel();
    let task = accept(
        listener,
        options,
        Arc::clone(&stop),
        move |socket, peer| {
            let _ = tell.send((socket, peer));
            Ok(())
        },
        move |error, more| drop(tell_failure.send((error.to_string(), more))),
    );
    let task = runtime.spawn(task);
    Accepting { number, stop, accepted, failed, task }
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let io = Driven::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = attempt(&io, &address, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_host_that_does_not_exist_is_an_error() {
    let io = Driven::new();
    // Two dots in a row are no name, so nobody is asked for it.
    let error = attempt(&io, "no..host:80", PATIENCE).unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    let address = Address::parse("no..host:0").unwrap();
    assert!(io.handle().unwrap().block_on(bind(&address, BACKLOG)).is_err());
}

#[test]
fn a_peer_that_does_not_answer_is_given_up_after_the_limit() {
    let io = Driven::new();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    // Nobody accepts; when the queue is full the system answers no more.
    let mut waiting = Vec::new();
    let error = loop {
        match attempt(&io, &address, Duration::from_millis(100)) {
            Ok(socket) => waiting.push(socket),
            Err(error) => break error,
        }
        assert!(waiting.len() < 1000, "the queue has no end");
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "no connection within 100 ms");
}

#[test]
fn each_number_of_a_host_is_tried() {
    let io = Driven::new();
    // `localhost` may stand for ::1 first.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = attempt(&io, &format!("localhost:{port}"), PATIENCE).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn a_port_in_use_cannot_be_bound_and_a_free_one_is_found() {
    let io = Driven::new();
    let runtime = io.handle().unwrap();
    let bind = |text: &str| runtime.block_on(bind(&Address::parse(text).unwrap(), BACKLOG));
    let first = bind("127.0.0.1:0").unwrap();
    let number = first.local_addr().unwrap();
    assert_ne!(number.port(), 0);
    let error = bind(&number.to_string()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(first);
    assert_eq!(bind(&number.to_string()).unwrap().local_addr().unwrap(), number);
    // A machine without IPv6 has no such address.
    if let Ok(listener) = bind("[::1]:0") {
        let address = listener.local_addr().unwrap().to_string();
        let connected = runtime.block_on(async {
            let address = Address::parse(&address).unwrap();
            tokio::join!(connect(&address, Options::default(), PATIENCE), listener.accept())
        });
        assert!(connected.0.is_ok() && connected.1.is_ok());
    }
}

#[test]
fn accepted_connections_have_the_options_and_a_stop_closes_the_port() {
    let io = Driven::new();
    let options = Options { nodelay: true, dead_after: Some(Duration::from_secs(8)) };
    let Accepting { number, stop, accepted, failed, task } = accepting(&io, options);
    let peer = TcpStream::connect(number).unwrap();
    let (socket, address) = accepted.recv_timeout(PATIENCE).unwrap();
    assert_eq!(address, peer.local_addr().unwrap());
    assert!(socket.nodelay().unwrap());
    let socket = SockRef::from(&socket);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(4));
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), options.dead_after);
    stop.notify_one();
    io.handle().unwrap().block_on(task).unwrap();
    assert!(accepted.recv().is_err(), "there was one connection");
    assert_eq!(TcpStream::connect(number).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(failed.recv().is_err(), "nothing has failed");
}

#[test]
fn a_process_without_descriptors_says_so_once_and_accepts_again_when_it_has_some() {
    if std::env::var_os(CHILD).is_none() {
        // The limit is the process's, so this runs in one of its own.
        let program = std::env::current_exe().unwrap();
        let name = thread_name();
        let line = format!("ulimit -n 64 && exec \"$0\" --exact {name} --test-threads 1");
        let child = Command::new("sh").arg("-c").arg(line).arg(program).env(CHILD, "1").output();
        let child = child.unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let io = Driven::new();
    let Accepting { number, accepted, failed, .. } = accepting(&io, Options::default());
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One descriptor for the peer, none for the accepted side.
    files.pop();
    let peer = TcpStream::connect(number).unwrap();
    let (why, more) = failed.recv_timeout(PATIENCE).unwrap();
    assert!(why.starts_with("Too many open files") && more == 0, "{why}");
    drop(files);
    let (_, address) = accepted.recv_timeout(PATIENCE).unwrap();
    assert_eq!(address, peer.local_addr().unwrap());
    assert!(failed.try_iter().all(|(_, more)| more > 0), "by itself it is told once");
}

fn thread_name() -> String {
    std::thread::current().name().unwrap().to_owned()
}
