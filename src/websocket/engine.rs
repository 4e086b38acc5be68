//! The receiving half of a connection: bytes in, events and answers out.
//!
//! tungstenite keeps the state of the protocol and makes the frames that answer the peer (pongs,
//! close frames); this gives it bytes from memory and turns its errors into a close frame.
//! Invariant: after `is_over` nothing more is read, and a close frame has been made exactly once.

use std::io::{self, Read, Write};

use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::{
    self, CloseFrame, Message, WebSocketConfig, WebSocketContext,
};

use super::event::{Closed, Event, How, Kind};
use super::limits::Limits;
use super::{Role, close, frame};

/// Bytes tungstenite takes at once, and holds for an idle connection: many connections are idle,
/// and a longer frame gets its room when its head is known.
const READ: usize = 512;

/// What the received bytes have led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The connection goes on.
    Open,
    /// Both close frames are out, or the peer has broken the protocol: nothing more is read.
    Over,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub struct Engine {
    context: WebSocketContext,
    /// Answers of the server's side are masked as well, which the protocol does not want.
    mask_outgoing: bool,
    over: bool,
}

/// tungstenite's view of the connection.
struct Pipe<'a> {
    input: &'a [u8],
    output: &'a mut Vec<u8>,
    mask: bool,
}

impl Read for Pipe<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(into)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What comes here is one control frame, unmasked at the server's side.
        match bytes {
            [opcode, length, payload @ ..] if self.mask && length & 0x80 == 0 => {
                let mask = frame::random_mask().ok_or(io::ErrorKind::Other)?;
                self.output.extend_from_slice(&[*opcode, length | 0x80]);
                self.output.extend_from_slice(&mask);
                let start = self.output.len();
                self.output.extend_from_slice(payload);
                frame::apply(&mut self.output[start..], mask);
            }
            _ => self.output.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Engine {
    /// The engine of a connection whose opening handshake is done.
    pub fn new(role: Role, limits: &Limits, mask_outgoing: bool) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_frame_size(Some(limits.frame))
            .max_message_size(Some(limits.message))
            .accept_unmasked_frames(limits.accept_unmasked);
        let role = match role {
            Role::Server => protocol::Role::Server,
            Role::Client => protocol::Role::Client,
        };
        Self { context: WebSocketContext::new(role, Some(config)), mask_outgoing, over: false }
    }

    /// True while messages may be sent: no close frame is out.
    pub fn can_write(&self) -> bool {
        !self.over && self.context.can_write()
    }

    /// True when nothing more is read.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Takes received bytes. What the peer has to be sent is added to `output`, what happened
    /// goes to `report`.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        output: &mut Vec<u8>,
        mut report: impl FnMut(Event),
    ) -> Progress {
        let mut pipe = Pipe { input: bytes, output, mask: self.mask_outgoing };
        while !self.over {
            match self.context.read(&mut pipe) {
                Ok(Message::Text(text)) => report(Event::text(text)),
                Ok(Message::Binary(bytes)) => report(Event::Message(Kind::Binary, bytes)),
                Ok(Message::Ping(bytes)) => report(Event::Ping(bytes)),
                Ok(Message::Pong(bytes)) => report(Event::Pong(bytes)),
                Ok(Message::Close(frame)) => {
                    self.over = true;
                    // The answer to it, if this side has not closed first.
                    let _ = self.context.flush(&mut pipe);
                    report(Event::Closed(clean(frame)));
                }
                // Frames come out whole only from tungstenite's own raw interface.
                Ok(Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.over = true;
                    let (code, reason) = fault(&error);
                    // Nothing goes out if this side has closed already.
                    let _ = self.context.close(&mut pipe, close::frame(Some(code), &reason));
                    report(Event::Closed(Closed { how: How::Failed, code: Some(code), reason }));
                }
            }
        }
        if self.over { Progress::Over } else { Progress::Open }
    }

    /// Makes the close frame of this side; nothing if there has been one.
    pub fn close(&mut self, code: Option<u16>, reason: &str, output: &mut Vec<u8>) {
        if self.can_write() {
            let mut pipe = Pipe { input: &[], output, mask: self.mask_outgoing };
            let _ = self.context.close(&mut pipe, close::frame(code, reason));
        }
    }

    /// This side gives the connection up: says so, and reads no more.
    pub fn fail(&mut self, code: u16, reason: &str, output: &mut Vec<u8>) {
        self.close(Some(code), reason, output);
        self.over = true;
    }
}

fn clean(frame: Option<CloseFrame>) -> Closed {
    let code = frame.as_ref().map(|frame| u16::from(frame.code));
    let reason = frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default();
    Closed { how: How::Clean, code, reason }
}

/// What a broken rule is called towards the peer.
fn fault(error: &Error) -> (u16, String) {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            (close::SIZE, format!("message of {size} bytes, the limit is {max_size}"))
        }
        Error::Capacity(error) => (close::SIZE, error.to_string()),
        Error::Utf8(_) => (close::INVALID, "the text is not UTF-8".to_owned()),
        Error::Protocol(error) => (close::PROTOCOL, error.to_string()),
        other => (close::ERROR, other.to_string()),
    }
}
