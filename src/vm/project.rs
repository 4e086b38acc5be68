//! Where a project's own file takes the place of a built-in one of the same name.
//!
//! Invariant: a file that is part of a skynet tree never does, wherever the tree stands; and of the
//! project's own only those do that such a project would find with skynet: modules under the short
//! names of before skynet 1.2 or under names that skynet does not have, and services that projects
//! have changed copies of.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Modules that skynet had under these names before 1.2.
const FORMER_NAMES: &[&str] = &[
    "cluster",
    "crypt",
    "datacenter",
    "dns",
    "memory",
    "mongo",
    "mqueue",
    "multicast",
    "mysql",
    "netpack",
    "profile",
    "redis",
    "sharedata",
    "sharemap",
    "snax",
    "socket",
    "socketchannel",
    "socketdriver",
    "stm",
];
/// Modules that skynet does not have, under names that a project may have given to its own.
const PLAIN_NAMES: &[&str] = &["bridge"];
/// Services that are launched by name and on which nothing of the node depends.
const COPIED_SERVICES: &[&str] = &["console", "debug_console", "gate"];
/// Stands in the folder of modules of every skynet tree, and in no other.
const OF_MODULES: &str = "skynet.lua";
/// Stands in the folder of services of every skynet tree, and in no other.
const OF_SERVICES: &str = "launcher.lua";

/// True when `module` means the project's own file on the search path `path`.
pub fn has_module(path: &[u8], module: &[u8]) -> bool {
    let mut names = FORMER_NAMES.iter().chain(PLAIN_NAMES);
    names.any(|name| name.as_bytes() == module) && is_own(path, module, OF_MODULES)
}

/// True when `service` means the project's own file on the search path `path`.
pub fn has_service(path: &[u8], service: &[u8]) -> bool {
    COPIED_SERVICES.iter().any(|name| name.as_bytes() == service)
        && is_own(path, service, OF_SERVICES)
}

/// True when the first file for `name` on a search path is not part of a skynet tree, whose folders
/// are known by the file `sign`.
fn is_own(path: &[u8], name: &[u8], sign: &str) -> bool {
    let file = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    for pattern in path.split(|byte| *byte == b';') {
        let pieces: Vec<&[u8]> = pattern.split(|byte| *byte == b'?').collect();
        if pieces.len() > 1 && file(&pieces.join(name)).is_file() {
            return !file(pieces[0]).join(sign).exists();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_the_projects_own_unless_it_stands_in_a_skynet_tree() {
        let root = std::env::temp_dir().join(format!("node-project-{}", std::process::id()));
        let path = |folder: &str| format!("{}/{folder}/?.lua", root.display());
        for folder in ["own", "tree"] {
            fs::create_dir_all(root.join(folder)).unwrap();
            for name in ["profile", "gate", "launcher", "other"] {
                if folder == "tree" || name != "launcher" {
                    fs::write(root.join(folder).join(format!("{name}.lua")), "").unwrap();
                }
            }
        }
        fs::write(root.join("tree/skynet.lua"), "").unwrap();
        let (own, tree) = (path("own"), path("tree"));
        let both = format!("{tree};{own}");
        assert!(has_module(own.as_bytes(), b"profile"));
        assert!(!has_module(own.as_bytes(), b"other"), "no former name");
        assert!(!has_module(tree.as_bytes(), b"profile"));
        assert!(!has_module(both.as_bytes(), b"profile"), "the first file is the tree's");
        assert!(!has_module(b"./nowhere/?.lua;plain;", b"profile"));
        assert!(has_service(own.as_bytes(), b"gate"));
        assert!(!has_service(own.as_bytes(), b"launcher"));
        assert!(!has_service(tree.as_bytes(), b"gate"));
        fs::remove_dir_all(&root).unwrap();
    }
}
