//! Something made from files that is made anew when they change.
//!
//! Invariant: whoever asks gets the newest that could be made. Files that cannot be used change
//! nothing; that is said once, and tried again until it works.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Notice;

/// How often the files are looked at, at most.
pub(super) const CHECK: Duration = Duration::from_secs(1);

/// What tells whether a file is another: its number, length and time of change.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Makes the thing from its files.
type Make<T> = Box<dyn Fn() -> Result<T, String> + Send + Sync>;

pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    notice: Notice,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Stamp>,
    checked: Instant,
    /// What was said about the files as they are now.
    complaint: Option<String>,
}

impl<T> Watched<T> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        notice: Notice,
        make: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        // Stamps come first: a change while the files are read is seen at the next check.
        let stamps = files.iter().map(stamp).collect();
        let value = Arc::new(make()?);
        let state = State { value, stamps, checked: Instant::now(), complaint: None };
        Ok(Self { files, make: Box::new(make), notice, state: Mutex::new(state) })
    }

    /// The newest that could be made; looks at the files if that was not done within `CHECK`.
    pub(super) fn get(&self, now: Instant) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.checked) < CHECK {
            return Arc::clone(&state.value);
        }
        state.checked = now;
        let stamps: Vec<Stamp> = self.files.iter().map(stamp).collect();
        // A key written behind its certificate leaves a moment in which they do not fit; so what
        // failed is tried again even if nothing seems to have changed since.
        if stamps == state.stamps && state.complaint.is_none() {
            return Arc::clone(&state.value);
        }
        let line = match (self.make)() {
            Ok(value) => {
                state.value = Arc::new(value);
                state.complaint = None;
                Some(format!("TLS: read anew: {}", self.shown()))
            }
            Err(error) if state.complaint.as_ref() == Some(&error) => None,
            Err(error) => {
                let line = format!("TLS: {error}; what was read before stays in use");
                state.complaint = Some(error);
                Some(line)
            }
        };
        state.stamps = stamps;
        let value = Arc::clone(&state.value);
        drop(state);
        if let Some(line) = line {
            (self.notice)(&line);
        }
        value
    }

    fn shown(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        files.join(", ")
    }
}

fn stamp(file: &PathBuf) -> Stamp {
    let data = fs::metadata(file).ok()?;
    Some((data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn files_are_looked_at_once_a_second_and_a_fault_is_told_once() {
        let file = std::env::temp_dir().join(format!("node-watched-{}", std::process::id()));
        fs::write(&file, "1").unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let made = Arc::new(AtomicU64::new(0));
        let notice: Notice = {
            let said = Arc::clone(&said);
            Arc::new(move |line: &str| said.lock().unwrap().push(line.to_owned()))
        };
        let (path, count) = (file.clone(), Arc::clone(&made));
        let watched = Watched::new(vec![file.clone()], notice, move || {
            count.fetch_add(1, Ordering::Relaxed);
            let text = fs::read_to_string(&path).unwrap();
            text.parse::<u32>().map_err(|_| format!("bad number {text}"))
        });
        let watched = watched.unwrap();
        let start = Instant::now();
        let at = |seconds: u64| *watched.get(start + CHECK * u32::try_from(seconds).unwrap());
        let said = || std::mem::take(&mut *said.lock().unwrap());

        assert_eq!((at(1), at(2), made.load(Ordering::Relaxed)), (1, 1, 1), "unchanged");
        fs::write(&file, "22").unwrap();
        assert_eq!(at(2), 1, "the second is not over");
        assert_eq!(at(3), 22);
        assert_eq!(said(), [format!("TLS: read anew: {}", file.display())]);
        fs::write(&file, "bad").unwrap();
        assert_eq!((at(4), at(5), at(6)), (22, 22, 22));
        assert_eq!(said(), ["TLS: bad number bad; what was read before stays in use"]);
        fs::write(&file, "4444").unwrap();
        assert_eq!(at(7), 4444);
        assert_eq!(said().len(), 1);
        fs::remove_file(&file).unwrap();
    }
}
