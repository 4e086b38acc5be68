//! The command line: `node config`.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::kernel::Clock;
use crate::sandbox::Sandbox;
use crate::{boot, config};

const USAGE: &str = "usage: node <config>   (a skynet config file; see docs/config.md)";

/// Runs the program with its arguments.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
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
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &std::path::Path) -> Result<(), String> {
    let config =
        config::load(path, &|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let sandbox =
        Sandbox::open(config.settings.sandbox.as_deref()).map_err(|error| error.to_string())?;
    let node = boot::start(&config, sandbox, Clock::real()).map_err(|error| error.to_string())?;
    node.wait(None);
    Ok(())
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "node: {text}");
}
