//! A node of its own for each test: scripts, config, process, and its output as lines.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

pub(crate) use crate::folder::Folder;

/// How long a test waits for something that is to happen. Only a failing test gets there.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

impl Folder {
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A config for two workers that starts `main.lua` of this folder, with `more` behind it.
    pub(crate) fn config(&self, more: &str) -> &Self {
        self.write("config", format!("thread = 2\nharbor = 0\nluaservice = './?.lua'\n{more}\n"))
    }

    /// The command that runs the config here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command.arg("config").current_dir(self.path("")).stdin(Stdio::null());
        command
    }

    /// Runs the node to its end; gives its exit code, standard output and standard error.
    pub(crate) fn run(&self) -> (Option<i32>, String, String) {
        let mut node = Node::spawn(self.command().stderr(Stdio::piped()));
        let status = node.wait();
        let mut errors = String::new();
        node.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (status.code(), node.rest(), errors)
    }

    /// Starts the node.
    pub(crate) fn start(&self) -> Node {
        Node::spawn(&mut self.command())
    }

    /// Waits until `check` holds for the file `name`.
    pub(crate) fn wait_for_file(&self, name: &str, check: impl Fn(&Path) -> bool) {
        let path = self.path(name);
        wait_until(name, || check(&path));
    }
}

/// Looks again and again until `check` holds.
pub(crate) fn wait_until(what: &str, mut check: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !check() {
        assert!(Instant::now() < until, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running node and the lines it writes.
///
/// The log is written by another service than what scripts print, so the two have no order between
/// them; each has its own.
pub(crate) struct Node {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// The first of `seen` that `expect` has not passed: of the log, and of what is printed.
    logged: usize,
    printed: usize,
}

impl Node {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new(), logged: 0, printed: 0 }
    }

    /// Starts `command` with a pipe as standard input.
    pub(crate) fn with_input(command: &mut Command) -> (Self, ChildStdin) {
        let mut node = Self::spawn(command.stdin(Stdio::piped()));
        let input = node.child.stdin.take().unwrap();
        (node, input)
    }

    /// The next line of the log, or the next one printed, that holds `part`.
    pub(crate) fn expect(&mut self, part: &str) -> String {
        let until = Instant::now() + DEADLINE;
        let mut index = self.logged.min(self.printed);
        loop {
            while let Some(line) = self.seen.get(index) {
                let next = if is_log(line) { &mut self.logged } else { &mut self.printed };
                if index >= *next && line.contains(part) {
                    *next = index + 1;
                    return line.clone();
                }
                index += 1;
            }
            self.read_line(part, until);
        }
    }

    /// Waits for one more line.
    fn read_line(&mut self, part: &str, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(line) = self.lines.recv_timeout(left) else {
            panic!("no line with {part:?}; seen:\n{}", self.seen.join("\n"));
        };
        self.seen.push(line);
    }

    /// Number of lines so far that hold `part`.
    pub(crate) fn count(&mut self, part: &str) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line.contains(part)).count()
    }

    /// A line with `part` has come, or comes. Those before it can still be expected.
    pub(crate) fn see(&mut self, part: &str) {
        let until = Instant::now() + DEADLINE;
        let mut index = 0;
        while !self.seen[index..].iter().any(|line| line.contains(part)) {
            index = self.seen.len();
            self.read_line(part, until);
        }
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Stops all of its threads, until the signal `CONT`.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_until("the node has stopped", || fs::read_to_string(&stat).unwrap().contains(") T "));
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the node does not end; seen:\n{}", self.rest());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its exit code, once it has ended.
    pub(crate) fn code(&mut self) -> Option<i32> {
        self.wait().code()
    }

    /// All lines, once it has ended.
    pub(crate) fn rest(&mut self) -> String {
        if self.child.try_wait().unwrap().is_some() {
            self.seen.extend(self.lines.iter());
        } else {
            self.seen.extend(self.lines.try_iter());
        }
        self.seen.join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// True of the first line of a message in the log: `[:0000000a] text`.
fn is_log(line: &str) -> bool {
    line.starts_with("[:") && line.get(10..12) == Some("] ")
}

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status();
    assert!(status.unwrap().success(), "kill -{name} {process}");
}

/// Writes a line to the input of a node.
pub(crate) fn say(input: &mut ChildStdin, line: &str) {
    writeln!(input, "{line}").unwrap();
}
