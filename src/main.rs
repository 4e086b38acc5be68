//! The `node` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    node::cli::run(std::env::args_os().skip(1))
}
