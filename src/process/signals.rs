//! Signals: what the system asks of the process, as events of a channel.
//!
//! The handler writes the signal's number into a pipe, and a thread reads it. No signal is blocked,
//! so that programs that a script starts (`io.popen`) get theirs as usual.
//! Invariant: the handler does nothing but that write.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: end in order. The number and name are for the log and the exit status.
    Stop(c_int),
    /// SIGHUP: open the log files anew.
    Reopen,
}

impl Signal {
    fn from_number(number: c_int) -> Option<Self> {
        match number {
            libc::SIGTERM | libc::SIGINT => Some(Self::Stop(number)),
            libc::SIGHUP => Some(Self::Reopen),
            _ => None,
        }
    }
}

/// Where the handler writes; -1 before `install`.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Takes over the signals of the process and calls `handle` with each, on a thread of its own.
/// SIGPIPE is ignored from then on: a broken connection is an error of its own write.
///
/// # Errors
/// When the system has no pipe or thread to give.
pub fn install(mut handle: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let (read, write) = pipe()?;
    PIPE.store(write.into_raw_fd(), Ordering::SeqCst);
    let mut read = File::from(read);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut number = [0];
        while read.read_exact(&mut number).is_ok() {
            if let Some(signal) = Signal::from_number(c_int::from(number[0])) {
                handle(signal);
            }
        }
    })?;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        set_action(signal, on_signal as extern "C" fn(c_int) as usize)?;
    }
    set_action(libc::SIGPIPE, libc::SIG_IGN)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just opened, and nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

fn set_action(signal: c_int, handler: usize) -> io::Result<()> {
    // SAFETY: an all-zero `sigaction` is valid, and the handler has the right signature.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_signal(signal: c_int) {
    let byte = u8::try_from(signal).unwrap_or(0);
    // SAFETY: `write` may be called in a signal handler; the byte is alive. `errno` is kept for the
    // code that was interrupted.
    unsafe {
        let before = *libc::__errno_location();
        libc::write(PIPE.load(Ordering::SeqCst), (&raw const byte).cast(), 1);
        *libc::__errno_location() = before;
    }
}
