//! Hostile services: none ends the node, none slows its neighbours, each fails for the reason that
//! its script says.
//!
//! Each file of `tests/hostile` is the script of one service. Lines `-- expect: TEXT` are texts
//! that must appear on the node's output after its start; lines `-- sandbox: KEY = VALUE` change
//! its policy. Beside it run two neighbours that call each other (`support/neighbour.lua`); after
//! each script a report of theirs is asked for, by a service that is started for it.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]
#![allow(clippy::print_stdout, reason = "what the test measured belongs to its output")]

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest time for a script to show what is expected of it; far beyond what any needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What 99 of 100 calls between the neighbours may take, in microseconds.
const SLOWEST_P99: u64 = 20_000;

/// Lines of output shown when a script does not do what it should.
const SHOWN_LINES: usize = 60;

/// The policy of all services of the node, besides what single scripts change.
const SANDBOX: &str = r#"
[node]
services = 60
[default]
memory = "64MiB"
message_time = "200ms"
coroutines = 1000
timers = 1000
mailbox = 1000
"#;

/// One hostile script and what its comments say.
struct Script {
    name: String,
    expected: Vec<String>,
    policy: Vec<String>,
}

impl Script {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let all = |mark: &str| -> Vec<String> {
            text.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect()
        };
        let script = Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            expected: all("-- expect: "),
            policy: all("-- sandbox: "),
        };
        assert!(!script.expected.is_empty(), "{} expects nothing", path.display());
        script
    }

    /// All scripts, in the order of their names.
    fn all() -> Vec<Self> {
        let entries = fs::read_dir(scripts()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "lua")).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

/// A running node in a folder of its own.
struct Node {
    folder: PathBuf,
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    fn start(scripts: &[Script]) -> Self {
        let folder = std::env::temp_dir().join(format!("node-hostile-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let path = self::scripts();
        let path = path.display();
        fs::write(
            folder.join("config"),
            format!(
                "thread = 2\nharbor = 0\nstart = \"support/begin\"\nluaservice = \"{path}/?.lua\"\n"
            ),
        )
        .unwrap();
        let mut policy = SANDBOX.to_owned();
        for script in scripts.iter().filter(|script| !script.policy.is_empty()) {
            writeln!(policy, "[service.\"{}\"]\n{}", script.name, script.policy.join("\n"))
                .unwrap();
        }
        fs::write(folder.join("sandbox.toml"), policy).unwrap();
        symlink("/tmp", folder.join("link")).unwrap();
        let pipe = CString::new(folder.join("pipe").as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is a C string that lives during the call.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        let mut process = Command::new(env!("CARGO_BIN_EXE_node"))
            .arg("config")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                // A flood of long lines is only looked at from its beginning.
                let line = String::from_utf8_lossy(&line[..line.len().min(10_000)]).into_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take().unwrap();
        Self { folder, process, input, lines, seen: Vec::new() }
    }

    /// Lets the console start a service.
    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap_or_else(|_| self.fail("the node has ended"));
        self.input.flush().unwrap();
    }

    /// Waits until each of `texts` has been in some line since the last `say`; returns the line of
    /// the last one.
    fn expect(&mut self, texts: &[String]) -> String {
        let mut missing: Vec<&String> = texts.iter().collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    missing.retain(|text| !line.contains(text.as_str()));
                    assert!(!line.contains("has escaped"), "{line}");
                    if missing.is_empty() {
                        return line;
                    }
                    self.seen.push(line);
                }
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("missing: {missing:?}")),
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("the node has ended; missing: {missing:?}"))
                }
            }
        }
    }

    fn fail(&mut self, why: &str) -> ! {
        let first = self.seen.len().saturating_sub(SHOWN_LINES);
        let shown: Vec<String> =
            self.seen[first..].iter().map(|line| line.chars().take(300).collect()).collect();
        let status = self.process.try_wait();
        panic!("{why}\nstatus: {status:?}\nlast lines:\n{}", shown.join("\n"));
    }

    /// How the neighbours fared since the last report: p99 and worst call in microseconds.
    fn report(&mut self, name: &str) -> (u64, u64) {
        self.say(&format!("support/report {name}"));
        let line = self.expect(&[format!("report {name} p99 ")]);
        let words: Vec<&str> = line.split(' ').collect();
        (words[3].parse().unwrap(), words[5].parse().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn hostile_services_fail_alone_and_their_neighbours_notice_nothing() {
    // `HOSTILE=loop_gc cargo test --test hostile` runs one script.
    let only = std::env::var("HOSTILE").ok();
    let mut scripts = Script::all();
    scripts.retain(|script| only.as_ref().is_none_or(|only| script.name == *only));
    let mut node = Node::start(&scripts);
    node.expect(&["ready".to_owned()]);
    let mut slow = Vec::new();
    for script in &scripts {
        node.report("idle");
        node.seen.clear();
        let began = Instant::now();
        node.say(&format!("support/attack {}", script.name));
        node.expect(&script.expected);
        let (p99, worst) = node.report(&script.name);
        let name = &script.name;
        let text = format!("{name:20} p99 {p99:6} us, worst {worst:6} us, {:?}", began.elapsed());
        println!("{text}");
        if p99 >= SLOWEST_P99 {
            slow.push(text);
        }
    }
    node.say("support/stop");
    assert!(node.process.wait().unwrap().success(), "the node did not end in order");
    assert!(slow.is_empty(), "neighbours had to wait:\n{}", slow.join("\n"));
}
