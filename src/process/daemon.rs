//! Daemon: the node in the background, and the file that says under which process id.
//!
//! Invariant: a running daemon holds a lock on its pid file, and the lock is what counts: a number
//! left in a file after a crash keeps nobody from starting.
//! The foreground process stays until the node has started, so that a failing start is seen where
//! it was asked for. The fork comes before any thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

/// Byte that the background process sends when the node has started.
const STARTED: &[u8] = b"\0";

/// Which of the two processes goes on.
pub enum Role {
    /// The one that was called. The node has started, or the text says why not.
    Foreground(Result<(), String>),
    /// The one that becomes the node.
    Background(Daemon),
}

/// The background process's side.
pub struct Daemon {
    path: PathBuf,
    /// Holds the lock.
    file: File,
    foreground: Option<File>,
}

/// Goes to the background, with the process id in the file at `path`.
///
/// # Errors
/// When the file cannot be written, when a daemon that runs holds it, or when there is no process
/// to be had.
pub fn detach(path: &Path) -> Result<Role, String> {
    let shown = path.display();
    let fail = |what: &str, error: io::Error| format!("daemon {shown}: cannot {what}: {error}");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| fail("open the pid file", error))?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        return Err(format!(
            "daemon {shown}: it is already running, pid = {}",
            text.trim().parse::<u32>().map_or("unknown".to_owned(), |pid| pid.to_string())
        ));
    }
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(fail("make a pipe", io::Error::last_os_error()));
    }
    // SAFETY: both were just opened, and nobody else owns them.
    let (read, write) = unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) };
    // SAFETY: the process has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        -1 => Err(fail("fork", io::Error::last_os_error())),
        0 => {
            drop(read);
            let mut daemon = Daemon { path: path.to_owned(), file, foreground: Some(write) };
            match daemon.enter() {
                Ok(()) => Ok(Role::Background(daemon)),
                Err(error) => {
                    let text = fail("start", error);
                    daemon.started(&Err(text.clone()));
                    Err(text)
                }
            }
        }
        _ => {
            drop(write);
            Ok(Role::Foreground(wait_for_start(read, path)))
        }
    }
}

fn wait_for_start(mut read: File, path: &Path) -> Result<(), String> {
    let mut text = Vec::new();
    let _ = read.read_to_end(&mut text);
    match text.as_slice() {
        STARTED => Ok(()),
        [] => Err(format!("daemon {}: the process has died while it started", path.display())),
        text => Err(String::from_utf8_lossy(text).into_owned()),
    }
}

impl Daemon {
    /// Leaves the terminal and writes the process id.
    fn enter(&mut self) -> io::Result<()> {
        // SAFETY: no preconditions; it fails only for the leader of a group, which a child is not.
        unsafe { libc::setsid() };
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}", std::process::id())?;
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            // SAFETY: both descriptors are open.
            if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// Tells the foreground process how the start went; it then ends.
    pub fn started(&mut self, result: &Result<(), String>) {
        let Some(mut foreground) = self.foreground.take() else { return };
        // If the foreground process was ended, nobody wants to know.
        let _ = match result {
            Ok(()) => foreground.write_all(STARTED),
            Err(text) => foreground.write_all(text.as_bytes()),
        };
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
