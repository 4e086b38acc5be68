//! The text files of the checkout.

use std::fs;
use std::path::Path;

/// Folders that hold no text of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", "tmp", "corpus", "artifacts"];

/// One file of the checkout.
pub(crate) struct File {
    /// From the top of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Reads `path`, which starts at the top of the checkout. None when it is absent or no text.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let text = String::from_utf8(fs::read(top().join(path)).ok()?).ok()?;
        Some(Self { path: path.to_owned(), text })
    }

    pub(crate) fn has_ending(&self, ending: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == ending)
    }

    pub(crate) fn is_shell(&self) -> bool {
        let first = self.text.lines().next().unwrap_or_default();
        first.starts_with("#!") && first.ends_with("sh")
    }

    /// The module of `src/` it belongs to: `kernel` for `src/kernel/node.rs`.
    pub(crate) fn module(&self) -> &str {
        let inside = self.path.trim_start_matches("src/");
        inside.split_once('/').map_or(inside.trim_end_matches(".rs"), |(module, _)| module)
    }

    /// A line for `report`: where something is, what it is, and what to do.
    pub(crate) fn problem(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// The top of the checkout.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file under the folder `start`; there is at least one.
pub(crate) fn files(start: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![start.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(top().join(&folder)).expect("a folder of the checkout opens");
        for entry in entries {
            let entry = entry.expect("a folder of the checkout can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name != ".ci" {
                continue;
            }
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_file() {
                found.extend(File::read(&path));
            } else if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no files under {start}: these tests look in the wrong place");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every file under the folder `start` whose name ends in `.ending`.
pub(crate) fn files_with_ending(start: &str, ending: &str) -> Vec<File> {
    files(start).into_iter().filter(|file| file.has_ending(ending)).collect()
}

/// Fails with all `problems`, if there are any.
pub(crate) fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} to mend:\n{}", problems.len(), problems.join("\n"));
}
