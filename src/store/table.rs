//! The table of commands: name, number of arguments, nature, keys, and what runs.
//!
//! Invariant: whether a command may run is decided by this table alone (`execute.rs`).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::call::Call;
use super::commands;
use super::reply::{Answer, Failure};
use crate::codec::resp::request::integer;

/// It changes keys.
pub const WRITE: u16 = 1;
/// It reads keys.
pub const READONLY: u16 = 1 << 1;
/// It may need more memory.
pub const DENYOOM: u16 = 1 << 2;
/// It is about the server.
pub const ADMIN: u16 = 1 << 3;
/// It is about channels.
pub const PUBSUB: u16 = 1 << 4;
/// Scripts may not call it.
pub const NOSCRIPT: u16 = 1 << 5;
/// It may wait for elements.
pub const BLOCKING: u16 = 1 << 6;
/// It needs no password.
pub const NO_AUTH: u16 = 1 << 7;
/// It takes little time.
pub const FAST: u16 = 1 << 8;
/// Its keys have no fixed places.
pub const MOVABLE: u16 = 1 << 9;

/// The names of these natures, for `COMMAND`.
const FLAGS: [(u16, &str); 10] = [
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (NO_AUTH, "no_auth"),
    (FAST, "fast"),
    (MOVABLE, "movablekeys"),
];

/// Where the keys of a command stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// It has none.
    None,
    /// From the first to the last place, which counts from the end if negative, in steps.
    Range(usize, isize, usize),
    /// Their number stands here, and they follow.
    Counted(usize),
    /// A destination in the first place, and others, whose number stands here.
    Into(usize),
}

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its name in small letters; that of a part is `whole|part`.
    pub name: &'static str,
    /// Number of arguments with the name; at least so many if negative.
    pub arity: isize,
    /// Its nature.
    pub flags: u16,
    /// Its keys.
    pub keys: Keys,
    /// What runs.
    pub run: fn(&mut Call<'_>) -> Answer,
    /// Its parts, told apart by the first argument.
    pub parts: &'static [Command],
}

/// Makes an entry of the table.
pub const fn command(
    name: &'static str,
    arity: isize,
    flags: u16,
    keys: Keys,
    run: fn(&mut Call<'_>) -> Answer,
) -> Command {
    Command { name, arity, flags, keys, run, parts: &[] }
}

/// Makes an entry for a command of several parts.
pub const fn container(name: &'static str, parts: &'static [Command]) -> Command {
    Command { name, arity: -2, flags: 0, keys: Keys::None, run: no_part, parts }
}

fn no_part(call: &mut Call<'_>) -> Answer {
    Err(call.arity())
}

/// The key that is the first argument.
pub const ONE: Keys = Keys::Range(1, 1, 1);
/// Two keys in front.
pub const TWO: Keys = Keys::Range(1, 2, 1);
/// All arguments.
pub const ALL: Keys = Keys::Range(1, -1, 1);

impl Command {
    /// Whether it has this nature.
    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether it may have so many arguments, its name included.
    pub fn takes(&self, count: usize) -> bool {
        let count = isize::try_from(count).unwrap_or(isize::MAX);
        if self.arity < 0 { count >= -self.arity } else { count == self.arity }
    }

    /// The names of its nature.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        FLAGS.iter().filter(|(flag, _)| self.is(*flag)).map(|(_, name)| *name)
    }

    /// The places of its keys among the arguments.
    pub fn key_places(&self, args: &[&[u8]]) -> Vec<usize> {
        let counted = |at: usize| {
            let count = args.get(at).and_then(|text| integer(text)).unwrap_or_default();
            let count = usize::try_from(count).unwrap_or_default();
            at + 1..(at + 1).saturating_add(count).min(args.len())
        };
        match self.keys {
            Keys::None => Vec::new(),
            Keys::Range(first, last, step) => {
                let length = args.len();
                let last = if last < 0 {
                    length.checked_sub(last.unsigned_abs())
                } else {
                    Some(last.unsigned_abs())
                };
                let last = last.map_or(0, |last| last.min(length.saturating_sub(1)));
                (first..=last).step_by(step).collect()
            }
            Keys::Counted(at) => counted(at).collect(),
            Keys::Into(at) => std::iter::once(1).chain(counted(at)).collect(),
        }
    }
}

/// All commands by name.
static TABLE: LazyLock<HashMap<&'static [u8], &'static Command>> = LazyLock::new(|| {
    let all = commands::ALL.iter().flat_map(|group| group.iter());
    all.map(|command| (command.name.as_bytes(), command)).collect()
});

/// Longest name of a command.
const LONGEST_NAME: usize = 32;

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Command> {
    TABLE.values().copied()
}

/// A command by its name in any case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let mut small = [0; LONGEST_NAME];
    let small = small.get_mut(..name.len())?;
    small.copy_from_slice(name);
    small.make_ascii_lowercase();
    TABLE.get(&*small).copied()
}

/// The command that the words mean, with its part.
///
/// # Errors
/// When there is none, or it takes another number of arguments.
pub fn resolve(args: &[&[u8]]) -> Result<&'static Command, Failure> {
    let Some(name) = args.first() else { return Err(unknown(args)) };
    let mut command = find(name).ok_or_else(|| unknown(args))?;
    if let (false, Some(part)) = (command.parts.is_empty(), args.get(1)) {
        let wanted = |entry: &&Command| {
            let name = entry.name.rsplit('|').next().unwrap_or_default();
            name.as_bytes().eq_ignore_ascii_case(part)
        };
        command = command.parts.iter().find(wanted).ok_or_else(|| {
            let mut text = b"ERR unknown subcommand '".to_vec();
            text.extend_from_slice(&part[..part.len().min(SHOWN)]);
            let whole = command.name.to_uppercase();
            text.extend_from_slice(format!("'. Try {whole} HELP.").as_bytes());
            Failure::of(text)
        })?;
    }
    if !command.takes(args.len()) {
        return Err(Failure::arity(command.name));
    }
    Ok(command)
}

/// Bytes of what a client wrote that an error shows.
const SHOWN: usize = 128;

fn unknown(args: &[&[u8]]) -> Failure {
    let name = args.first().copied().unwrap_or_default();
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(&name[..name.len().min(SHOWN)]);
    text.extend_from_slice(b"', with args beginning with: ");
    let mut shown = 0;
    for arg in args.iter().skip(1) {
        if shown >= SHOWN {
            break;
        }
        let part = &arg[..arg.len().min(SHOWN - shown)];
        text.push(b'\'');
        text.extend_from_slice(part);
        text.extend_from_slice(b"' ");
        shown += part.len() + 3;
    }
    Failure::of(text)
}
