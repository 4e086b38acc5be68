//! The command line: `node config`.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use crate::boot::BootError;
use crate::config::Config;
use crate::kernel::{Clock, Node};
use crate::process::daemon::{self, Role};
use crate::process::heap;
use crate::process::signals::{self, Signal};
use crate::sandbox::Sandbox;
use crate::{boot, config};

const USAGE: &str = "usage: node <config>   (a skynet config file; see docs/config.md)";

/// Runs the program with its arguments.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    heap::keep_freed();
    let arguments: Vec<OsString> = arguments.collect();
    let [path] = arguments.as_slice() else {
        complain(&format!("Need a config file.\n{USAGE}"));
        return ExitCode::FAILURE;
    };
    match path.to_str() {
        Some("--help" | "-h") => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        Some("--version" | "-V") => {
            say(&format!("node {} (Lua 5.3)", env!("CARGO_PKG_VERSION")));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match serve(&PathBuf::from(path)) {
        Ok(status) => status,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &Path) -> Result<ExitCode, String> {
    let config =
        config::load(path, &|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let sandbox =
        Sandbox::open(config.settings.sandbox.as_deref()).map_err(|error| error.to_string())?;
    let Some(pid_file) = &config.settings.daemon else {
        return run_node(&config, sandbox, |_| {});
    };
    if config.settings.logger.is_none() && config.settings.logservice == "logger" {
        complain("daemon without logger: nobody will see the log (config key logger)");
    }
    match daemon::detach(pid_file)? {
        Role::Foreground(started) => started.map(|()| ExitCode::SUCCESS),
        Role::Background(mut daemon) => run_node(&config, sandbox, |result| daemon.started(result)),
    }
}

/// What the main thread waits for.
enum Event {
    Signal(Signal),
    /// The orderly stop is over; true when everything was saved and ended.
    Stopped(bool),
    /// The last service has ended.
    Ended,
}

/// Starts the node, reports how that went, and stays until it has ended.
fn run_node(
    config: &Config,
    sandbox: Sandbox,
    mut report: impl FnMut(&Result<(), String>),
) -> Result<ExitCode, String> {
    let (sender, events) = mpsc::channel();
    let node = prepare(config, sandbox, &sender);
    report(&node.as_ref().map(|_| ()).map_err(Clone::clone));
    let node = node?;
    watch_end(&node, sender.clone())?;
    let deadline = config.settings.stop_deadline;
    let mut stopping = false;
    loop {
        match events.recv() {
            Ok(Event::Signal(Signal::Reopen)) => boot::reopen_log(&node),
            Ok(Event::Signal(Signal::Stop(_))) if !stopping => {
                stopping = true;
                start_stop(&node, deadline, sender.clone())?;
            }
            Ok(Event::Signal(Signal::Stop(number))) => {
                // As a shell reports a process that a signal has ended.
                return Ok(ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX)));
            }
            Ok(Event::Stopped(in_order)) => {
                return Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            // The thread that stops the node knows how it went.
            Ok(Event::Ended) if stopping => {}
            Ok(Event::Ended) | Err(_) => break,
        }
    }
    if node.has_start_failed() {
        let line = &config.settings.bootstrap;
        return Err(BootError::Bootstrap(line.clone()).to_string());
    }
    Ok(ExitCode::SUCCESS)
}

fn prepare(config: &Config, sandbox: Sandbox, sender: &Sender<Event>) -> Result<Arc<Node>, String> {
    let events = sender.clone();
    signals::install(move |signal| drop(events.send(Event::Signal(signal))))
        .map_err(|error| format!("cannot listen to signals: {error}"))?;
    boot::start(config, sandbox, Clock::real()).map_err(|error| error.to_string())
}

fn watch_end(node: &Arc<Node>, sender: Sender<Event>) -> Result<(), String> {
    let node = Arc::clone(node);
    spawn("end", move || {
        node.wait(None);
        drop(sender.send(Event::Ended));
    })
}

fn start_stop(node: &Arc<Node>, deadline: Duration, sender: Sender<Event>) -> Result<(), String> {
    let node = Arc::clone(node);
    spawn("stop", move || {
        let in_order = node.stop(deadline);
        drop(sender.send(Event::Stopped(in_order)));
    })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
    match std::thread::Builder::new().name(name.to_owned()).spawn(body) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("thread {name}: cannot start ({error})")),
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "node: {text}");
}
