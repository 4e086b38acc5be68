//! Somebody in between who ends TLS on both sides with a certificate that both accept.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use node::net::tls::{
    CertificateFiles, ClientOptions, ClientSettings, Notice, Roots, ServerOptions, ServerSettings,
    Session,
};

use crate::support::Folder;

/// Passes the first connection on to `port`; its own port. The files are those of `equip`.
pub(crate) fn relay(folder: &Folder, port: u16) -> u16 {
    let own =
        CertificateFiles { certificate: folder.path("cert.pem"), key: folder.path("key.pem") };
    let notice: Notice = Arc::new(|_: &str| {});
    let server = ServerOptions {
        certificates: vec![own.clone()],
        client_roots: Some(folder.path("ca.pem")),
        ciphers: None,
    };
    let client = ClientOptions {
        roots: Roots::File(folder.path("ca.pem")),
        verify: true,
        certificate: Some(own),
        ciphers: None,
    };
    let server = ServerSettings::new(server, Arc::clone(&notice)).unwrap();
    let client = ClientSettings::new(client, notice).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (caller, _) = listener.accept().unwrap();
        let target = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let of_caller = Side::new(Session::server(&server).unwrap(), caller);
        let of_target = Side::new(Session::client("127.0.0.1", &client).unwrap(), target);
        let (from, to) = (Arc::clone(&of_caller), Arc::clone(&of_target));
        thread::spawn(move || pass(&from, &to));
        pass(&of_target, &of_caller);
    });
    here
}

/// One end of the relay.
struct Side {
    session: Session,
    socket: TcpStream,
    /// Held while records are made and written, so that they keep their order.
    writing: std::sync::Mutex<()>,
}

impl Side {
    fn new(session: Session, socket: TcpStream) -> Arc<Self> {
        let side = Self { session, socket, writing: std::sync::Mutex::default() };
        (&side.socket).write_all(&side.session.start()).unwrap();
        Arc::new(side)
    }

    fn write(&self, make: impl FnOnce(&mut Vec<u8>)) {
        let _writing = self.writing.lock().unwrap();
        let mut records = Vec::new();
        make(&mut records);
        let _ = (&self.socket).write_all(&records);
    }
}

/// Gives what `from` says to `to`, until the end.
fn pass(from: &Side, to: &Side) {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = (&from.socket).read(&mut bytes).unwrap_or(0);
        let mut plain = Vec::new();
        let mut opened = Ok(true);
        if count > 0 {
            from.write(|reply| opened = from.session.open(&bytes[..count], &mut plain, reply));
        }
        // What comes before the other handshake has ended waits in the session.
        for piece in plain.chunks(16 << 10) {
            to.write(|records| to.session.seal(piece, records).unwrap());
        }
        if !matches!(opened, Ok(false)) {
            let _ = to.socket.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}
