//! Message logs: every message of one service, as a line of a file (`LOGON`).
//!
//! Format as skynet's: `:source type session now hex`. Invariant: a service without a log pays one
//! test a message.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::handle::Handle;
use super::log::calendar_time;
use super::message::Message;
use super::node::Node;
use super::service::Service;

/// An open message log.
#[derive(Debug)]
pub(super) struct MessageLog {
    file: File,
}

impl MessageLog {
    /// Opens `<directory>/<handle>.log` for appending.
    pub(super) fn open(directory: &Path, handle: Handle, now: u64) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().append(true).create(true).open(path_of(directory, handle))?;
        writeln!(file, "open time: {now} {}", calendar_time())?;
        Ok(Self { file })
    }

    pub(super) fn write(&mut self, message: &Message, now: u64) {
        let source = message.source.map_or(0, Handle::number);
        let mut line = format!(":{source:08x} {} {} {now} ", message.kind.0, message.session);
        for byte in message.payload.as_slice() {
            use std::fmt::Write as _;
            let _ = write!(line, "{byte:02x}");
        }
        line.push('\n');
        // A log that cannot be written has nobody to tell.
        let _ = self.file.write_all(line.as_bytes());
    }

    pub(super) fn close(mut self, now: u64) {
        let _ = writeln!(self.file, "close time: {now}");
    }
}

fn path_of(directory: &Path, handle: Handle) -> PathBuf {
    directory.join(format!("{:08x}.log", handle.number()))
}

impl Node {
    /// Opens every message log anew, for a tool that has moved the files away.
    pub fn reopen_message_logs(&self) {
        for service in self.registry.services() {
            if service.has_message_log() {
                self.log_messages(&service, false);
                self.log_messages(&service, true);
            }
        }
    }

    /// Starts or ends the message log of a service.
    pub fn log_messages(&self, service: &Service, on: bool) {
        let now = self.clock.now();
        if !on {
            if service.stop_message_log(now) {
                self.log(
                    Some(service.handle),
                    &format!("Close log file :{:08x}", service.handle.number()),
                );
            }
            return;
        }
        if service.has_message_log() {
            return;
        }
        let Some(directory) = &self.options.message_log_directory else { return };
        let path = path_of(directory, service.handle);
        match MessageLog::open(directory, service.handle, now) {
            Ok(log) => {
                service.start_message_log(log);
                self.log(Some(service.handle), &format!("Open log file {}", path.display()));
            }
            Err(error) => self.log(
                Some(service.handle),
                &format!("Open log file {} fail: {error}", path.display()),
            ),
        }
    }
}
