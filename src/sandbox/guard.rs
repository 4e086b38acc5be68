//! Guard: may a service open this file?
//!
//! Invariant: whatever the rules for folders say, no service reaches the memory of a process
//! through the file system, and none opens a file on which a worker could wait for ever.
//! Not here: opening files (`bindings`), the rules themselves (`path.rs`).

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Policy;
use super::path::{PathRule, resolve};

/// Major number of the devices that never make a reader wait, and which of them count.
#[cfg(target_os = "linux")]
const HARMLESS_DEVICES: (u32, &[u32]) = (1, &[3, 5, 7, 8, 9]);

/// What a service wants to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Write, create, rename or remove it.
    Write,
}

/// Why a service may not have a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It lies outside the folders of the rule.
    Outside,
    /// It decides what the node does at its next start, and the rule is not `any`.
    OfTheNode,
    /// It is the memory of a process.
    Memory,
    /// It is a pipe or a device that may make its reader wait.
    Waits,
}

/// Files that no service may write unless it may write everything: the policy file, the config,
/// the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protected(Vec<PathBuf>);

impl Protected {
    /// The files at `paths`, relative ones below `working_dir`.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>, working_dir: &Path) -> Self {
        Self(paths.into_iter().filter_map(|path| resolve(&working_dir.join(path))).collect())
    }

    /// Whether `target` is one of them or a folder above one, which must not move away either.
    fn concerns(&self, target: &Path) -> bool {
        self.0.iter().any(|file| file.starts_with(target))
    }
}

/// Decides whether a service under `policy` may have `path`. Blocks shortly on the file system.
///
/// # Errors
/// The reason why it may not.
pub fn check(
    policy: &Policy,
    protected: &Protected,
    path: &Path,
    access: Access,
    working_dir: &Path,
) -> Result<(), Refusal> {
    let rule = match access {
        Access::Read => &policy.read,
        Access::Write => &policy.write,
    };
    if !rule.allows(path, working_dir) {
        return Err(Refusal::Outside);
    }
    let target = working_dir.join(path);
    let found = fs::metadata(&target).ok();
    if found.as_ref().is_some_and(may_wait) {
        return Err(Refusal::Waits);
    }
    // Files of the process file system are empty to `stat`; all others need no second look.
    if found.is_some_and(|found| found.len() == 0)
        && resolve(&target).is_some_and(|real| is_memory(&real))
    {
        return Err(Refusal::Memory);
    }
    if access == Access::Write && *rule != PathRule::Any {
        let real = resolve(&target).ok_or(Refusal::Outside)?;
        if protected.concerns(&real) {
            return Err(Refusal::OfTheNode);
        }
    }
    Ok(())
}

fn may_wait(found: &Metadata) -> bool {
    let kind = found.file_type();
    kind.is_fifo() || kind.is_socket() || (kind.is_char_device() && !is_harmless(found))
}

#[cfg(target_os = "linux")]
fn is_harmless(found: &Metadata) -> bool {
    let (major, minors) = HARMLESS_DEVICES;
    libc::major(found.rdev()) == major && minors.contains(&libc::minor(found.rdev()))
}

#[cfg(not(target_os = "linux"))]
fn is_harmless(found: &Metadata) -> bool {
    ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"]
        .iter()
        .any(|name| fs::metadata(name).is_ok_and(|known| known.rdev() == found.rdev()))
}

fn is_memory(real: &Path) -> bool {
    real.starts_with("/proc") && real.file_name().is_some_and(|name| name == "mem")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &Policy, path: &str, access: Access) -> Result<(), Refusal> {
        let work = std::env::temp_dir().canonicalize().unwrap();
        let protected =
            Protected::new([Path::new("./sandbox.toml"), Path::new("etc/config")], &work);
        check(policy, &protected, Path::new(path), access, &work)
    }

    #[test]
    fn the_default_reads_everything_and_writes_below_the_working_folder() {
        let policy = Policy::default();
        assert_eq!(judge(&policy, "/etc/passwd", Access::Read), Ok(()));
        assert_eq!(judge(&policy, "/etc/passwd", Access::Write), Err(Refusal::Outside));
        assert_eq!(judge(&policy, "data/new", Access::Write), Ok(()));
    }

    #[test]
    fn what_decides_about_the_next_start_is_not_written() {
        let policy = Policy::default();
        for path in ["sandbox.toml", "./data/../sandbox.toml", "etc/config", "etc"] {
            assert_eq!(judge(&policy, path, Access::Write), Err(Refusal::OfTheNode), "{path}");
        }
        assert_eq!(judge(&policy, "sandbox.toml2", Access::Write), Ok(()));
        assert_eq!(judge(&policy, "sandbox.toml", Access::Read), Ok(()));
        let all = Policy { write: PathRule::Any, ..Policy::default() };
        assert_eq!(judge(&all, "sandbox.toml", Access::Write), Ok(()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_and_devices_are_never_opened() {
        let all = Policy { write: PathRule::Any, ..Policy::default() };
        for path in ["/proc/self/mem", "/proc/thread-self/mem", "/proc/self/task/../mem"] {
            assert_eq!(judge(&all, path, Access::Read), Err(Refusal::Memory), "{path}");
            assert_eq!(judge(&all, path, Access::Write), Err(Refusal::Memory), "{path}");
        }
        assert_eq!(judge(&all, "/dev/ptmx", Access::Read), Err(Refusal::Waits));
        for path in ["/dev/null", "/dev/urandom", "/proc/self/status", "/etc/passwd"] {
            assert_eq!(judge(&all, path, Access::Read), Ok(()), "{path}");
        }
    }
}
