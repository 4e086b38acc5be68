//! TLS sessions on connections.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::thread;

use super::*;
use crate::net::tls::tests::{Authority, server};
use crate::net::tls::{Session, WriteError};

/// One side: a session on a stream, its plaintext and its end.
struct Side {
    stream: Arc<Stream>,
    session: Arc<Session>,
    plain: Events<Vec<u8>>,
    reason: Arc<Mutex<Option<String>>>,
    ended: Events<String>,
}

struct Opener {
    session: Arc<Session>,
    plain: Sender<Vec<u8>>,
    reason: Arc<Mutex<Option<String>>>,
    ended: Sender<String>,
}

impl Opener {
    fn note(&self, reason: String) {
        self.reason.lock().unwrap().get_or_insert(reason);
    }
}

impl Receiver for Opener {
    fn on_bytes(&mut self, stream: &Arc<Stream>, bytes: &[u8]) -> Flow {
        let mut plain = Vec::new();
        let received = self.session.receive(stream, bytes, &mut plain);
        let _ = self.plain.send(plain);
        match received {
            Ok(false) => Flow::Continue,
            Ok(true) => Flow::Close,
            Err(reason) => {
                self.note(reason);
                Flow::Close
            }
        }
    }

    fn on_eof(&mut self, _stream: &Arc<Stream>) -> Flow {
        if let Err(reason) = self.session.at_end() {
            self.note(reason);
        }
        Flow::Close
    }

    fn on_end(&mut self, _stream: &Arc<Stream>, end: End) {
        let _ = self.ended.send(end.to_string());
    }
}

fn side(io: &Driven, socket: tokio::net::TcpStream, session: Session) -> Side {
    let session = Arc::new(session);
    let (tell, plain) = mpsc::channel();
    let (tell_end, ended) = mpsc::channel();
    let reason = Arc::default();
    let opener = Opener {
        session: Arc::clone(&session),
        plain: tell,
        reason: Arc::clone(&reason),
        ended: tell_end,
    };
    let stream = serve(io, socket, opener);
    session.start_on(&stream).unwrap();
    Side { stream, session, plain, reason, ended }
}

impl Side {
    fn bytes(&self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.plain.recv_timeout(PATIENCE).unwrap());
        }
        all
    }

    fn reason(&self) -> String {
        self.ended.recv_timeout(PATIENCE).unwrap();
        self.reason.lock().unwrap().clone().unwrap_or_default()
    }
}

/// A client and a server that trust the same authority.
fn sides(io: &Driven) -> (Side, Side) {
    let authority = Authority::new();
    let (ours, peer) = sockets(io);
    peer.set_nonblocking(true).unwrap();
    let runtime = io.handle().unwrap();
    let _guard = runtime.enter();
    let peer = tokio::net::TcpStream::from_std(peer).unwrap();
    let settings = server(&[&authority.host("a.example")]);
    let server = side(io, peer, Session::server(&settings).unwrap());
    let client = Session::client("a.example", &authority.client()).unwrap();
    (side(io, ours, client), server)
}

#[test]
fn records_of_several_threads_arrive_in_the_order_in_which_they_were_made() {
    const WRITERS: u8 = 4;
    const EACH: u32 = 300;
    let io = Driven::new();
    let (client, server) = sides(&io);
    // Some of it is written before the end of the handshake; both sides send.
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let ends = [&client, &server]
                .map(|side| (Arc::clone(&side.stream), Arc::clone(&side.session)));
            scope.spawn(move || {
                for number in 0..EACH {
                    let head = [&[writer][..], &number.to_le_bytes()].concat();
                    for (stream, session) in &ends {
                        session.send(stream, &[&head, &[writer; 15]]).unwrap();
                    }
                }
            });
        }
        for side in [&client, &server] {
            let mut due = [0_u32; WRITERS as usize];
            let got = side.bytes(20 * usize::from(WRITERS) * EACH as usize);
            for message in got.chunks(20) {
                let number = &mut due[usize::from(message[0])];
                assert_eq!(message[1..5], number.to_le_bytes());
                assert!(message[5..].iter().all(|byte| *byte == message[0]));
                *number += 1;
            }
        }
    });
}

#[test]
fn much_data_passes_small_buffers_and_a_close_is_announced() {
    let io = Driven::new();
    let (client, server) = sides(&io);
    server.session.send(&server.stream, &[b"ready"]).unwrap();
    assert_eq!(client.bytes(5), b"ready");
    let sent = flood();
    let queued = client.session.send(&client.stream, &[&sent]).unwrap();
    assert!(queued > 0);
    client.session.close(&client.stream);
    client.stream.close(PATIENCE);
    assert!(server.bytes(sent.len()) == sent);
    assert_eq!(server.reason(), "", "an announced end is no fault");
    assert_eq!(server.session.at_end(), Ok(()));
    assert_eq!(server.session.send(&server.stream, &[b"late"]), Err(WriteError::Ended));
}

#[test]
fn a_connection_that_is_cut_is_told_from_one_that_was_closed() {
    let io = Driven::new();
    let (client, server) = sides(&io);
    client.session.send(&client.stream, &[b"hello"]).unwrap();
    assert_eq!(server.bytes(5), b"hello");
    client.stream.close(PATIENCE);
    assert_eq!(server.reason(), "cut off: the end was not announced");
}

#[test]
fn a_plain_peer_is_told_apart_on_either_side() {
    let io = Driven::new();
    let authority = Authority::new();
    let (ours, mut peer) = sockets(&io);
    let settings = server(&[&authority.host("a.example")]);
    let server = side(&io, ours, Session::server(&settings).unwrap());
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(server.reason(), r#"not a TLS record: "GET / HTTP/1.1\r\n""#);

    let (ours, mut peer) = sockets(&io);
    let client = Session::client("a.example", &authority.client()).unwrap();
    let client = side(&io, ours, client);
    let mut hello = [0; 5];
    peer.read_exact(&mut hello).unwrap();
    assert_eq!(hello[0], 22);
    peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    assert_eq!(client.reason(), r#"not a TLS record: "HTTP/1.1 400 Bad""#);
}

#[test]
fn a_peer_that_hangs_up_during_the_handshake_is_named() {
    let io = Driven::new();
    let authority = Authority::new();
    let (ours, peer) = sockets(&io);
    let client = Session::client("a.example", &authority.client()).unwrap();
    let client = side(&io, ours, client);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.reason(), "closed by the peer during the TLS handshake");
}
