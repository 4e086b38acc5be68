//! A server that says what a test wants, right or wrong.
//!
//! It takes connections one after the other and answers each command with the next of its lines.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

/// What the server does when a command has come.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Says these bytes.
    Say(Vec<u8>),
    /// Says these bytes and closes the connection.
    SayAndClose(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Says nothing and keeps the connection.
    Silence,
}

/// Says a text.
pub(crate) fn say(text: &str) -> Step {
    Step::Say(text.as_bytes().to_vec())
}

/// A running fake.
pub(crate) struct Fake {
    pub(crate) port: u16,
    commands: Receiver<Vec<String>>,
}

impl Fake {
    /// A server that goes through `connections`, each a list of steps. Behind the last step, and on
    /// further connections, it answers everything with `+OK`.
    pub(crate) fn start(connections: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, commands) = mpsc::channel();
        std::thread::spawn(move || {
            let mut scripts = connections.into_iter();
            for stream in listener.incoming().map_while(Result::ok) {
                let steps = scripts.next().unwrap_or_default();
                let sender = sender.clone();
                std::thread::spawn(move || {
                    serve(stream, steps, |command| {
                        let _ = sender.send(command);
                    });
                });
            }
        });
        Self { port, commands }
    }

    /// The next command that has come, on any connection.
    pub(crate) fn command(&self) -> Vec<String> {
        self.commands.recv_timeout(crate::support::DEADLINE).expect("a command")
    }
}

fn serve(stream: TcpStream, steps: Vec<Step>, mut heard: impl FnMut(Vec<String>)) {
    let mut out = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    let mut steps = steps.into_iter();
    while let Some(command) = read_command(&mut input) {
        heard(command);
        let written = match steps.next().unwrap_or_else(|| say("+OK\r\n")) {
            Step::Say(bytes) => out.write_all(&bytes),
            Step::SayAndClose(bytes) => {
                let _ = out.write_all(&bytes);
                return;
            }
            Step::Close => return,
            Step::Silence => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
}

fn read_command(input: &mut impl BufRead) -> Option<Vec<String>> {
    let count = number(input, '*')?;
    (0..count)
        .map(|_| {
            let length = number(input, '$')?;
            let mut part = vec![0; length + 2];
            input.read_exact(&mut part).ok()?;
            part.truncate(length);
            Some(String::from_utf8_lossy(&part).into_owned())
        })
        .collect()
}

fn number(input: &mut impl BufRead, kind: char) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}
