//! One side of one TLS connection, as a filter of bytes.
//!
//! Records have to go out in the order in which they were made. Who gives them to a `Stream` uses
//! `receive`, `send` and `close`, which keep the session locked until the stream has them; who
//! uses `open` and `seal` keeps that order.
//! Invariant: after a failure nothing is opened or sealed any more, and everybody is told the same
//! reason.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConnection, Connection, ProtocolVersion, ServerConnection};

use super::{Certificate, ClientSettings, ServerSettings, reason};
use crate::net::{Ended, Stream};

/// Plaintext that may wait for the end of the handshake, and records that are made at a time.
pub const PENDING: usize = 64 << 10;

/// Room for records that a session keeps between two calls.
const KEPT: usize = 32 << 10;

/// First bytes that a TLS connection may begin with: an alert, or a message of the handshake.
const FIRST: [u8; 2] = [21, 22];

/// Bytes shown of something that is not TLS.
const SHOWN: usize = 16;

/// Why a session could not write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// The connection is closing or has ended.
    Ended,
    /// TLS has failed, or is not at the point where this much can be written.
    Tls(String),
}

impl fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => formatter.write_str("the connection has ended"),
            Self::Tls(reason) => formatter.write_str(reason),
        }
    }
}

impl From<Ended> for WriteError {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

/// One side of one TLS connection.
pub struct Session {
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    /// Bytes of the peer have come.
    begun: bool,
    /// The end of this side was announced.
    closing: bool,
    failure: Option<String>,
    /// Records on their way to the stream.
    records: Vec<u8>,
}

impl Session {
    /// The side that connects, to `host`: the name or IP number that the certificate has to be for.
    ///
    /// # Errors
    /// When `host` is neither.
    pub fn client(host: &str, settings: &ClientSettings) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("TLS: `{host}` is neither the name of a host nor an IP number"))?;
        let made = ClientConnection::new(settings.current(), name);
        Ok(Self::of(made.map_err(|error| reason::of(&error))?.into()))
    }

    /// The side that was connected to.
    ///
    /// # Errors
    /// When the settings are of no use to the library.
    pub fn server(settings: &ServerSettings) -> Result<Self, String> {
        let made = ServerConnection::new(settings.current());
        Ok(Self::of(made.map_err(|error| reason::of(&error))?.into()))
    }

    /// A session of the library's own connection.
    pub(super) fn of(mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(PENDING));
        let state =
            State { connection, begun: false, closing: false, failure: None, records: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to write before anything is received: a client's first message, nothing for a server.
    pub fn start(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.lock().take_records(&mut out);
        out
    }

    /// Takes received bytes: appends their plaintext to `plain`, which is never longer than they and
    /// one record before them, and what has to be written to `reply`, also when it fails. True when
    /// the peer has said that it sends no more.
    ///
    /// # Errors
    /// The reason for which the connection cannot go on.
    pub fn open(
        &self,
        bytes: &[u8],
        plain: &mut Vec<u8>,
        reply: &mut Vec<u8>,
    ) -> Result<bool, String> {
        self.lock().open(bytes, plain, reply)
    }

    /// Appends the records of `plain` to `out`. While the handshake goes on, up to `PENDING` bytes
    /// wait for its end and leave with a later `open`.
    ///
    /// # Errors
    /// The reason for which the connection cannot go on, or that too much waits.
    pub fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.lock().seal(plain, out)
    }

    /// Appends what announces that this side sends no more to `out`; nothing the second time.
    pub fn close_notify(&self, out: &mut Vec<u8>) {
        self.lock().close(out);
    }

    /// Writes a client's first message.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn start_on(&self, stream: &Stream) -> Result<(), Ended> {
        self.lock().with_records(|state, out| state.take_records(out), stream).1.map(|_| ())
    }

    /// As `open`, and writes the reply.
    ///
    /// # Errors
    /// As `open`.
    pub fn receive(
        &self,
        stream: &Stream,
        bytes: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<bool, String> {
        // A stream that ended meanwhile reports its end itself.
        self.lock().with_records(|state, out| state.open(bytes, plain, out), stream).0
    }

    /// Seals `pieces` and writes them. Answers how many bytes are queued, as `Stream::write` does.
    ///
    /// # Errors
    /// When the connection has ended, or as `seal`.
    pub fn send(&self, stream: &Stream, pieces: &[&[u8]]) -> Result<usize, WriteError> {
        let seal = |state: &mut State, out: &mut Vec<u8>| {
            pieces.iter().try_for_each(|piece| state.seal(piece, out))
        };
        let (sealed, written) = self.lock().with_records(seal, stream);
        sealed.map_err(WriteError::Tls)?;
        Ok(written?)
    }

    /// Announces that this side sends no more. The stream is closed by the caller.
    pub fn close(&self, stream: &Stream) {
        // If the stream has ended there is nobody to tell.
        let _ = self.lock().with_records(State::close, stream);
    }

    /// True until both sides have agreed on keys. With certificates of clients a client may be past
    /// this before the server has judged its certificate.
    pub fn is_handshaking(&self) -> bool {
        self.lock().connection.is_handshaking()
    }

    /// What the end of the peer's bytes means now: an error unless the peer announced it.
    ///
    /// # Errors
    /// The words for an end in the middle.
    pub fn at_end(&self) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.connection.is_handshaking() {
            return Err("closed by the peer during the TLS handshake".to_owned());
        }
        // Nothing is read: the answer of a finished session is its state.
        let announced =
            state.connection.process_new_packets().is_ok_and(|progress| progress.peer_has_closed());
        if announced { Ok(()) } else { Err("cut off: the end was not announced".to_owned()) }
    }

    /// The certificate of the peer, once it has been judged.
    pub fn peer(&self) -> Option<Certificate> {
        let state = self.lock();
        let chain = state.connection.peer_certificates()?;
        chain.first().map(|first: &CertificateDer<'_>| Certificate::parse(first))
    }

    /// Fills `out` with bytes that both sides of this connection, and nobody else, can compute for
    /// `label` and `context` (RFC 5705); what is signed with them belongs to this connection.
    ///
    /// # Errors
    /// Before the end of the handshake.
    pub fn exporter(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), String> {
        let exported = self.lock().connection.export_keying_material(out, label, context);
        exported.map(|_| ()).map_err(|error| reason::of(&error))
    }

    /// True when both sides have agreed on TLS 1.3.
    pub fn is_tls13(&self) -> bool {
        self.lock().connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Version and cipher for people, such as `TLSv1_3 TLS13_AES_256_GCM_SHA384`; empty during the
    /// handshake.
    pub fn description(&self) -> String {
        let state = self.lock();
        let version = state.connection.protocol_version();
        let cipher = state.connection.negotiated_cipher_suite();
        version
            .zip(cipher)
            .map(|(version, cipher)| format!("{version:?} {:?}", cipher.suite()))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TLS session {}", self.description())
    }
}

impl State {
    fn open(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        reply: &mut Vec<u8>,
    ) -> Result<bool, String> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if let (false, Some(first)) = (self.begun, bytes.first()) {
            if !FIRST.contains(first) {
                let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
                return Err(self.fail(format!("not a TLS record: \"{shown}\"")));
            }
            self.begun = true;
        }
        let mut peer_closed = false;
        while !bytes.is_empty() {
            let taken = match self.connection.read_tls(&mut bytes) {
                // Nothing counts behind the announced end.
                Ok(taken) => taken,
                Err(error) => return Err(self.fail(format!("malformed TLS message ({error})"))),
            };
            let progress = self.connection.process_new_packets();
            self.take_records(reply);
            match progress {
                Err(error) => return Err(self.fail(reason::of(&error))),
                Ok(progress) => {
                    peer_closed = progress.peer_has_closed();
                    self.take_plain(progress.plaintext_bytes_to_read(), plain)?;
                }
            }
            if taken == 0 {
                break;
            }
        }
        Ok(peer_closed)
    }

    fn take_plain(&mut self, count: usize, plain: &mut Vec<u8>) -> Result<(), String> {
        let start = plain.len();
        plain.resize(start + count, 0);
        // As many bytes as were promised are there, so this reads all or fails as a whole.
        let read = self.connection.reader().read_exact(&mut plain[start..]);
        read.map_err(|error| self.fail(format!("TLS: {error}")))
    }

    fn seal(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.closing {
            return Err("TLS: the end was announced, nothing can be written".to_owned());
        }
        while !plain.is_empty() {
            let taken = self.connection.writer().write(plain);
            let taken = taken.map_err(|error| self.fail(format!("TLS: {error}")))?;
            plain = &plain[taken..];
            self.take_records(out);
            if taken == 0 || !plain.is_empty() && self.connection.is_handshaking() {
                return Err(self.fail(format!(
                    "TLS: more than {PENDING} bytes wait for the end of the handshake"
                )));
            }
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.closing, true) {
            self.connection.send_close_notify();
        }
        self.take_records(out);
    }

    fn fail(&mut self, reason: String) -> String {
        self.failure = Some(reason.clone());
        reason
    }

    /// Moves the records that the library has made into `out`.
    fn take_records(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            // A vector takes everything; an error would repeat for ever.
            let written: io::Result<usize> = self.connection.write_tls(out);
            if !written.is_ok_and(|count| count > 0) {
                return;
            }
        }
    }

    /// Gives the stream the records that `make` makes. The answer of the stream is 0 if there are
    /// none.
    fn with_records<T>(
        &mut self,
        make: impl FnOnce(&mut Self, &mut Vec<u8>) -> T,
        stream: &Stream,
    ) -> (T, Result<usize, Ended>) {
        let mut records = std::mem::take(&mut self.records);
        let made = make(self, &mut records);
        let written = if records.is_empty() { Ok(0) } else { stream.write(&records) };
        records.clear();
        records.shrink_to(KEPT);
        self.records = records;
        (made, written)
    }
}
