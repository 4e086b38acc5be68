//! Which files and folders a service may touch.
//!
//! Invariant: a path counts for the place it really leads to, whatever links and `..` it is made
//! of, and also if its last parts do not exist yet.
//! Not here: opening files (`bindings`). A folder that becomes a link between the check and the
//! opening leads elsewhere; so a binding that makes a link also checks where the link leads.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Links that one path may lead through; Linux follows as many.
const LINKS: usize = 40;

/// The folders that a service may read from or write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRule {
    /// All that the process may touch.
    Any,
    /// These folders with all below them; relative ones start at the working folder.
    Within(Vec<PathBuf>),
}

impl PathRule {
    /// Whether `path` is allowed; relative paths start at `working_dir`, which must be absolute.
    ///
    /// Blocks shortly: it asks the file system about each part of the path.
    pub fn allows(&self, path: &Path, working_dir: &Path) -> bool {
        let Self::Within(folders) = self else {
            return true;
        };
        let Some(target) = resolve(&working_dir.join(path)) else {
            return false;
        };
        let mut folders = folders.iter().filter_map(|folder| resolve(&working_dir.join(folder)));
        folders.any(|folder| target.starts_with(folder))
    }
}

/// One step on the way to a file.
enum Step {
    Root,
    Up,
    Down(OsString),
}

/// Follows `path` as the system would when it creates a file there. `None`: a path that leads
/// nowhere or somewhere else in C, which sees the text only up to the first NUL.
pub(super) fn resolve(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() || path.as_os_str().as_bytes().contains(&0) {
        return None;
    }
    let mut steps: VecDeque<Step> = steps(path).collect();
    let mut place = PathBuf::new();
    let mut links = 0;
    while let Some(step) = steps.pop_front() {
        match step {
            Step::Root => place = PathBuf::from("/"),
            Step::Up => {
                place.pop();
            }
            Step::Down(name) => {
                place.push(name);
                // A part that is no link, does not exist or may not be looked at stays as it is;
                // the system follows no link there either.
                let Ok(target) = fs::read_link(&place) else {
                    continue;
                };
                links += 1;
                if links > LINKS {
                    return None;
                }
                place.pop();
                for step in self::steps(&target).collect::<Vec<_>>().into_iter().rev() {
                    steps.push_front(step);
                }
            }
        }
    }
    Some(place)
}

/// Takes a path apart.
fn steps(path: &Path) -> impl Iterator<Item = Step> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder with `work` (the working folder) and `outside` in it, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("node-sandbox-test-{}-{number}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(folder.0.join("work/logs")).unwrap();
            fs::create_dir_all(folder.0.join("outside/deep")).unwrap();
            fs::write(folder.0.join("outside/secret"), "").unwrap();
            folder
        }

        /// Makes the link `work/<name>`.
        fn with_link(self, name: &str, target: impl AsRef<Path>) -> Self {
            symlink(target, self.work().join(name)).unwrap();
            self
        }

        fn work(&self) -> PathBuf {
            self.0.join("work")
        }

        /// Whether a service that may touch the working folder may touch `path`.
        fn allows(&self, path: impl AsRef<Path>) -> bool {
            within(&["."]).allows(path.as_ref(), &self.work())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A folder left behind in the temporary folder does no harm.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn within(folders: &[&str]) -> PathRule {
        PathRule::Within(folders.iter().map(PathBuf::from).collect())
    }

    #[test]
    fn any_allows_everything_and_an_empty_list_nothing() {
        assert!(PathRule::Any.allows(Path::new("/etc/passwd"), Path::new("/")));
        assert!(!within(&[]).allows(Path::new("file"), Path::new("/")));
    }

    #[test]
    fn what_lies_in_the_folder_is_allowed_whether_it_exists_or_not() {
        let folder = Folder::new();
        for path in ["", ".", "file", "./new/deep/file", "logs", "logs/../file", "no/../file"] {
            assert!(folder.allows(path), "{path}");
        }
        assert!(folder.allows(folder.work().join("file")));
    }

    #[test]
    fn dots_do_not_lead_out() {
        let folder = Folder::new();
        for path in [
            "..",
            "../outside/secret",
            "logs/../../outside",
            "no/../../outside",
            "/etc/passwd",
            "/",
        ] {
            assert!(!folder.allows(path), "{path}");
        }
        assert!(folder.allows("../work/file"));
    }

    #[test]
    fn a_folder_whose_name_only_starts_the_same_is_another_folder() {
        let folder = Folder::new();
        assert!(!folder.allows("../work2/file"));
    }

    #[test]
    fn links_count_for_where_they_lead() {
        let folder = Folder::new()
            .with_link("out", "../outside")
            .with_link("absolute", "/etc")
            .with_link("file", "../outside/secret")
            .with_link("in", "logs")
            .with_link("chain", "in/../out");
        for path in ["out", "out/secret", "out/new", "absolute/passwd", "file", "chain/new"] {
            assert!(!folder.allows(path), "{path}");
        }
        for path in ["in", "in/new", "in/../file2"] {
            assert!(folder.allows(path), "{path}");
        }
    }

    #[test]
    fn dots_behind_a_link_start_at_its_target() {
        let folder = Folder::new().with_link("deep", "../outside/deep");
        assert!(!folder.allows("deep/../secret"));
        assert!(folder.allows("deep/../../work/file"));
    }

    #[test]
    fn a_link_to_a_file_that_does_not_exist_would_create_it_out_there() {
        let folder = Folder::new().with_link("dangling", "../outside/new");
        assert!(!folder.allows("dangling"));
    }

    #[test]
    fn a_link_behind_a_missing_folder_is_still_a_link() {
        let folder = Folder::new().with_link("out", "../outside");
        assert!(!folder.allows("missing/../out/secret"));
    }

    #[test]
    fn a_circle_of_links_is_refused() {
        let folder = Folder::new().with_link("a", "b").with_link("b", "a");
        assert!(!folder.allows("a"));
        assert!(!folder.allows("a/file"));
    }

    #[test]
    fn an_allowed_folder_may_itself_be_a_link() {
        let folder = Folder::new().with_link("out", "../outside");
        assert!(within(&["out"]).allows(Path::new("../outside/secret"), &folder.work()));
        assert!(within(&["out"]).allows(Path::new("out/secret"), &folder.work()));
        assert!(!within(&["out"]).allows(Path::new("file"), &folder.work()));
    }

    #[test]
    fn folders_may_be_named_from_the_root() {
        let folder = Folder::new();
        let rule = within(&["logs", folder.0.join("outside").to_str().unwrap()]);
        assert!(rule.allows(Path::new("logs/file"), &folder.work()));
        assert!(rule.allows(Path::new("../outside/file"), &folder.work()));
        assert!(!rule.allows(Path::new("file"), &folder.work()));
    }

    #[test]
    fn a_nul_byte_cannot_hide_the_path_that_is_opened() {
        let folder = Folder::new();
        let outside = folder.0.join("outside/secret");
        let hidden = [outside.as_os_str().as_bytes(), b"\0/../../../work/file"].concat();
        assert!(!folder.allows(OsStr::from_bytes(&hidden)));
    }

    #[test]
    fn a_relative_working_folder_allows_nothing() {
        assert!(!within(&["."]).allows(Path::new("file"), Path::new("work")));
    }
}
