//! Reads what Redis wrote down, command by command, and says of each transfer what became of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use crate::resp::{Value, read};

/// What happened to one transfer.
#[derive(Debug, Default)]
struct History {
    state: String,
    made: u32,
    applied: u32,
    returned: u32,
    refused: u32,
    given: BTreeMap<String, u32>,
}

/// All that was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) transfers: usize,
    pub(crate) stored: usize,
    pub(crate) returned: usize,
    /// Transfers that were decided or applied more than once.
    pub(crate) doubled: Vec<String>,
    /// Transfers that went away undecided, or were decided but not applied.
    pub(crate) lost: Vec<String>,
}

/// Reads the append-only files in `folder`, of a server that has ended.
pub(crate) fn audit(folder: &Path) -> Findings {
    let mut all: BTreeMap<String, History> = BTreeMap::new();
    let mut findings = Findings::default();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .collect();
    files.sort();
    for file in files {
        let mut reader = BufReader::with_capacity(1 << 20, File::open(file).unwrap());
        while let Ok(value) = read(&mut reader) {
            let Value::List(parts) = value else { continue };
            let parts: Vec<String> = parts.iter().map(Value::text).collect();
            note(&mut all, &mut findings, &parts);
        }
    }
    findings.transfers = all.len();
    for (id, history) in &all {
        let decided = history.applied + history.returned + history.refused;
        let given = history.given.values().copied().max().unwrap_or(0);
        if history.made > 1 || decided > 1 || given > 1 || history.given.len() > 1 {
            findings.doubled.push(format!("{id}: {history:?}"));
        } else if history.state.is_empty() && decided == 0 {
            findings.lost.push(format!("{id}: {history:?}"));
        }
        findings.returned += usize::from(history.returned > 0);
    }
    findings
}

fn note(all: &mut BTreeMap<String, History>, findings: &mut Findings, parts: &[String]) {
    let command = parts[0].to_ascii_uppercase();
    let Some(key) = parts.get(1) else { return };
    if key.starts_with("bridge:open:") && command == "HSET" {
        let history = all.entry(parts[2].clone()).or_default();
        let state = parts[3].split('@').next().unwrap_or_default().to_owned();
        history.made += u32::from(history.state.is_empty());
        let adopted = state == "seen" && matches!(&history.state[..], "" | "stored");
        history.applied += u32::from(state == "accepted" || adopted);
        findings.stored += usize::from(state == "stored");
        history.state = state;
    } else if key.starts_with("bridge:open:") && command == "HDEL" {
        for id in &parts[2..] {
            let history = all.entry(id.clone()).or_default();
            match &history.state[..] {
                "offered" | "stored" | "returning" => history.returned += 1,
                "taking" => history.refused += 1,
                _ => {}
            }
            history.state.clear();
        }
    } else if key.starts_with("player:")
        && command == "HSET"
        && let Some(id) = parts[2].strip_prefix("give:")
    {
        let transfer = id.strip_suffix("~back").unwrap_or(id).to_owned();
        *all.entry(transfer).or_default().given.entry(id.to_owned()).or_default() += 1;
    }
}
