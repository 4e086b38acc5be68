//! The log service: an actor that writes each text message as one line.
//!
//! Invariant: lines appear in the order in which they reached the mailbox, and everything queued
//! when the node ends is still written.
//! The format is skynet's: `[:0000000a] text`, with local time in front when it goes to a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::message::{Kind, Message};
use super::service::{Actor, Inbox};

/// Writes the node's log to standard output or to a file.
pub struct Logger {
    target: Target,
}

enum Target {
    Stdout,
    File { path: PathBuf, file: File },
}

impl Logger {
    /// A logger to standard output.
    pub fn stdout() -> Self {
        Self { target: Target::Stdout }
    }

    /// A logger that appends to the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self { target: Target::File { path: path.to_owned(), file: open(path)? } })
    }

    fn handle(&mut self, message: &Message) {
        match message.kind {
            Kind::TEXT => self.write(message),
            Kind::SYSTEM => self.reopen(),
            _ => {}
        }
    }

    fn write(&mut self, message: &Message) {
        let source = message.source.map_or(0, super::handle::Handle::number);
        let text = message.payload.as_slice();
        let mut line = Vec::with_capacity(text.len() + 48);
        // A log that cannot be written has nowhere to complain to.
        match &mut self.target {
            Target::Stdout => {
                let _ = write!(line, "[:{source:08x}] ");
                line.extend_from_slice(text);
                line.push(b'\n');
                let mut out = io::stdout().lock();
                let _ = out.write_all(&line).and_then(|()| out.flush());
            }
            Target::File { file, .. } => {
                let _ = write!(line, "{} [:{source:08x}] ", local_time());
                line.extend_from_slice(text);
                line.push(b'\n');
                let _ = file.write_all(&line);
            }
        }
    }

    fn reopen(&mut self) {
        if let Target::File { path, file } = &mut self.target
            && let Ok(fresh) = open(path)
        {
            *file = fresh;
        }
    }
}

impl Actor for Logger {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            self.handle(&message);
        }
    }

    fn on_leftover(&mut self, message: Message) -> Option<Message> {
        self.handle(&message);
        None
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Local time as `dd/mm/yy HH:MM:SS.cc`.
fn local_time() -> String {
    let now = since_epoch();
    let parts = local_parts(now);
    format!(
        "{:02}/{:02}/{:02} {:02}:{:02}:{:02}.{:02}",
        parts.tm_mday,
        parts.tm_mon + 1,
        parts.tm_year % 100,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        now.subsec_millis() / 10,
    )
}

/// Local time as C's `ctime` writes it, without the line end.
pub(super) fn calendar_time() -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts = local_parts(since_epoch());
    let name = |names: &[&'static str], index: libc::c_int| {
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("???")
    };
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {}",
        name(&DAYS, parts.tm_wday),
        name(&MONTHS, parts.tm_mon),
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        parts.tm_year + 1900,
    )
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn local_parts(now: Duration) -> libc::tm {
    let seconds = libc::time_t::try_from(now.as_secs()).unwrap_or_default();
    // SAFETY: all-zero is a valid `tm`.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of this frame.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    parts
}
