//! A connection on a socket: the two interfaces meet here.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Transport};
use crate::net::socket::{Consumer, Socket};
use crate::net::{End, Ended, Flow};

/// A socket as a transport.
#[derive(Debug)]
pub struct Carrier(pub Arc<Socket>);

impl Transport for Carrier {
    fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.0.write(bytes)
    }

    fn close(&self, linger: Duration) {
        self.0.close(linger);
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn resume(&self) {
        self.0.resume();
    }
}

/// A connection as the consumer of its socket.
pub struct Feed(pub Arc<Connection>);

impl Consumer for Feed {
    fn on_data(&mut self, _socket: &Arc<Socket>, bytes: &[u8]) -> Flow {
        self.0.feed(bytes);
        Flow::Continue
    }

    fn on_end(&mut self, socket: &Arc<Socket>, end: &End) {
        match socket.failure() {
            Some(failure) => self.0.ended(&failure),
            None => self.0.ended(&end.to_string()),
        }
    }
}
