//! Lists the Lua files that go into the binary, and exports Lua's symbols for C modules.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    // C modules (`lua_cpath`) resolve Lua's functions from the executable.
    println!("cargo:rustc-link-arg-bins=-rdynamic");
    println!("cargo:rerun-if-changed=lua");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let mut text = String::new();
    for (constant, folder) in [("LIB", "lua/lib"), ("SERVICE", "lua/service")] {
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files);
        let mut entries: Vec<(String, String)> = files
            .iter()
            .map(|file| {
                let relative = file.strip_prefix(root.join(folder)).expect("below the folder");
                let name = relative.with_extension("").to_string_lossy().replace('/', ".");
                (name, file.strip_prefix(&root).expect("below the root").display().to_string())
            })
            .collect();
        entries.sort();
        writeln!(text, "/// Files under {folder}.").expect("writes to a string");
        writeln!(text, "const {constant}: &[(&str, Embedded)] = &[").expect("writes to a string");
        for (name, file) in entries {
            let path = root.join(&file);
            writeln!(
                text,
                "    ({name:?}, Embedded {{ name: {file:?}, text: include_str!({path:?}) }}),"
            )
            .expect("writes to a string");
        }
        text.push_str("];\n");
    }
    fs::write(out.join("embedded.rs"), text).expect("the output folder is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            files.push(path);
        }
    }
}
