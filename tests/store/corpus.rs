//! The corpus: `tests/vectors/redis/*.txt`, with the replies of a genuine Redis in `*.out`.
//!
//! A line is a command as one types it into redis-cli. `## NAME` begins a part with empty databases
//! and new connections. In front of a command may stand `N>` (another connection) and one mark:
//! `~` the elements of the reply come in any order, `~2` so do its pairs, `?` only the kind of the
//! reply counts, `&` nothing is read yet; `<` alone reads a reply, `!` alone waits until the other
//! connections have got to their waiting.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::support::{Connection, Embedded, Genuine, Redis};

/// How the reply to a command is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    Exactly,
    Unordered(usize),
    Kind,
    NotYet,
}

enum Line {
    Part(String),
    Command { connection: usize, compared: Compared, text: String },
    Read { connection: usize },
    Settle,
}

fn parse(line: &str) -> Option<Line> {
    let line = line.trim();
    if let Some(name) = line.strip_prefix("## ") {
        return Some(Line::Part(name.to_owned()));
    }
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if line == "!" {
        return Some(Line::Settle);
    }
    let (connection, rest) = match line.split_once('>') {
        Some((number, rest)) if number.parse::<usize>().is_ok() => {
            (number.parse().unwrap(), rest.trim())
        }
        _ => (1, line),
    };
    if rest == "<" {
        return Some(Line::Read { connection });
    }
    let marks = [
        ("~2 ", Compared::Unordered(2)),
        ("~ ", Compared::Unordered(1)),
        ("? ", Compared::Kind),
        ("& ", Compared::NotYet),
    ];
    let found = marks.iter().find_map(|(mark, how)| Some((*how, rest.strip_prefix(mark)?)));
    let (compared, text) = found.unwrap_or((Compared::Exactly, rest));
    Some(Line::Command { connection, compared, text: text.to_owned() })
}

/// A reply as it is compared.
fn normal(reply: &[u8], compared: Compared) -> String {
    match compared {
        Compared::Exactly | Compared::NotYet => shown(reply),
        Compared::Kind => char::from(reply[0]).to_string(),
        Compared::Unordered(width) => {
            let (head, mut rest) = split(reply);
            let mut items = Vec::new();
            while !rest.is_empty() {
                let (item, behind) = element(rest);
                items.push(shown(item));
                rest = behind;
            }
            let mut groups: Vec<String> = items.chunks(width).map(|group| group.concat()).collect();
            groups.sort();
            shown(head) + &groups.concat()
        }
    }
}

fn split(reply: &[u8]) -> (&[u8], &[u8]) {
    let end = reply.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    reply.split_at(end)
}

/// The first element of `bytes`, and what is behind it.
fn element(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (head, mut rest) = split(bytes);
    let count = || str::from_utf8(&head[1..head.len() - 2]).unwrap().parse::<i64>().unwrap_or(-1);
    match head[0] {
        b'$' if count() >= 0 => rest = &rest[usize::try_from(count()).unwrap() + 2..],
        b'*' => (0..count()).for_each(|_| rest = element(rest).1),
        _ => {}
    }
    bytes.split_at(bytes.len() - rest.len())
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\\'", "'")
}

/// Runs a file of the corpus; gives a line for each reply.
fn run(redis: &dyn Redis, text: &str) -> String {
    let mut connections: BTreeMap<usize, Connection> = BTreeMap::new();
    let mut out = String::new();
    let mut control = redis.connect();
    for line in text.lines().filter_map(parse) {
        match line {
            Line::Part(name) => {
                connections.clear();
                control.say("flushall");
                control.say("script flush");
                let _ = writeln!(out, "## {name}");
            }
            Line::Command { connection, compared, text } => {
                let at = connections.entry(connection).or_insert_with(|| redis.connect());
                // The server splits the line, as it does for those who type.
                at.send_bytes(format!("{text}\r\n").as_bytes());
                let _ = writeln!(out, "{text}");
                if compared != Compared::NotYet {
                    let _ = writeln!(out, "  {}", normal(&at.reply(), compared));
                }
            }
            Line::Read { connection } => {
                let at = connections.entry(connection).or_insert_with(|| redis.connect());
                let _ = writeln!(out, "<\n  {}", shown(&at.reply()));
            }
            Line::Settle => {
                // What a connection has sent is known to be handled once the server says that it
                // waits; each asks in turn.
                let waiting = |info: &str| {
                    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
                    line.and_then(|count| count.trim().parse::<usize>().ok()).unwrap_or(0)
                };
                let wanted = text_of_waiting(&out);
                let until = std::time::Instant::now() + super::support::DEADLINE;
                while waiting(&control.say("info clients")) < wanted {
                    assert!(std::time::Instant::now() < until, "nobody waits");
                }
            }
        }
    }
    out
}

/// Commands of the present part that have been sent and whose reply was not read.
fn text_of_waiting(out: &str) -> usize {
    let part = out.rsplit("## ").next().unwrap_or(out);
    let mut count = 0_usize;
    let mut lines = part.lines().skip(1).peekable();
    while let Some(line) = lines.next() {
        let answered = lines.peek().is_some_and(|next| next.starts_with("  "));
        if line == "<" {
            count = count.saturating_sub(1);
        } else if !line.starts_with("  ") && !answered {
            count += 1;
        }
    }
    count
}

fn files() -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/redis");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The first lines that differ, with the command they belong to.
fn difference(expected: &str, found: &str) -> Option<String> {
    let mut command = "";
    let mut shown = String::new();
    let mut count = 0;
    let (mut left, mut right) = (expected.lines(), found.lines());
    loop {
        let (one, other) = match (left.next(), right.next()) {
            (None, None) => break,
            (one, other) => (one.unwrap_or("(nothing)"), other.unwrap_or("(nothing)")),
        };
        if one != other && count < 40 {
            let _ = writeln!(shown, "{command}\n  redis:    {one}\n  embedded: {other}");
            count += 1;
        }
        if !one.starts_with("  ") {
            command = one;
        }
    }
    (count > 0).then_some(shown)
}

#[test]
fn the_embedded_store_answers_the_corpus_as_redis_did() {
    let mut problems = String::new();
    for (path, text) in files() {
        let expected = fs::read_to_string(path.with_extension("out")).unwrap_or_default();
        let found = run(&Embedded::plain(), &text);
        if let Some(shown) = difference(&expected, &found) {
            let _ = write!(problems, "{}:\n{shown}", path.display());
        }
    }
    assert!(problems.is_empty(), "replies differ:\n{problems}");
}

#[test]
fn a_genuine_redis_gives_the_recorded_replies() {
    let redis = Genuine::start();
    let records = std::env::var_os("REDIS_RECORD").is_some();
    let mut problems = String::new();
    for (path, text) in files() {
        let found = run(&redis, &text);
        let record = path.with_extension("out");
        if records {
            fs::write(&record, &found).unwrap();
            continue;
        }
        let expected = fs::read_to_string(record).unwrap_or_default();
        if let Some(shown) = difference(&found, &expected) {
            let _ = write!(problems, "{}:\n{shown}", path.display());
        }
    }
    assert!(problems.is_empty(), "the records are not those of this Redis:\n{problems}");
}

#[test]
fn the_corpus_has_what_it_promises() {
    let is_command = |line: &str| matches!(parse(line), Some(Line::Command { .. }));
    let count: usize =
        files().iter().map(|(_, text)| text.lines().filter(|line| is_command(line)).count()).sum();
    assert!(count >= 400, "{count} commands");
}
