//! The project's conventions as tests: they read the checkout, run nothing, and name each slip with
//! file, line, what is wrong and what to do.
//!
//! Invariant: a rule is checked in code alone; comments and literals may say what they like, unless
//! the rule is about comments.
//! Not here: what rustfmt and clippy hold already (`make check` runs them).

mod source;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use source::{code_only, leading_word, line_at, names_behind, places};
use tree::{File, files, files_with_ending, report, top};

/// What a module of `src/` may import besides itself.
enum Imports {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}
use Imports::{AllBut, Only};

/// The layers of docs/architecture.md.
const LAYERS: &[(&str, Imports)] = &[
    ("error", Only(&[])),
    ("codec", Only(&["error"])),
    ("kernel", Only(&["error"])),
    ("bridge", Only(&["codec", "error"])),
    ("config", Only(&["error"])),
    ("sandbox", Only(&["error"])),
    ("process", Only(&["error"])),
    ("shared", Only(&["error"])),
    ("net", Only(&["codec", "kernel", "error"])),
    ("http", Only(&["net", "codec", "kernel", "error"])),
    ("websocket", Only(&["net", "codec", "kernel", "error"])),
    ("cluster", Only(&["net", "codec", "kernel", "error"])),
    ("harbor", Only(&["net", "codec", "kernel", "error"])),
    ("redis", Only(&["net", "codec", "kernel", "error"])),
    ("store", Only(&["net", "codec", "error"])),
    // `vm` names the parts that live outside of it in what services share, and calls none of them.
    ("vm", Only(&["kernel", "codec", "sandbox", "shared", "net", "cluster", "websocket", "error"])),
    ("bindings", AllBut(&["boot", "admin", "cli"])),
    ("admin", AllBut(&["boot", "cli"])),
    ("boot", AllBut(&["cli"])),
    ("cli", AllBut(&[])),
    ("lib", AllBut(&[])),
    ("main", AllBut(&[])),
];

/// Folders that may name mlua. All others know no Lua.
const KNOW_MLUA: &[&str] = &["src/config/", "src/vm/", "src/bindings/", "src/store/script/"];

/// Files, or folders with a `/` at the end, that may hold `unsafe`, and why.
const MAY_BE_UNSAFE: &[(&str, &str)] = &[
    ("src/kernel/mailbox.rs", "the lock-free queue: its nodes are raw pointers"),
    ("src/kernel/message.rs", "a payload is a C block that scripts hold by its address"),
    ("src/kernel/service.rs", "an actor in a cell that one thread at a time owns"),
    ("src/kernel/node.rs", "an actor is put in place by whoever holds its scheduling right"),
    ("src/kernel/turn.rs", "a turn is given by the holder of the scheduling right"),
    ("src/kernel/scheduler.rs", "thread ids, for the watchdog's signal"),
    ("src/kernel/stamp.rs", "the instruction that reads the time stamp counter"),
    ("src/kernel/log.rs", "local time of libc"),
    ("src/vm/", "the raw Lua API"),
    ("src/bindings/", "the raw Lua API"),
    ("src/process/", "signals and fork, of libc"),
];

/// How far above an `unsafe` block its SAFETY comment may stand, in lines.
const SAFETY_DISTANCE: usize = 6;

/// Longest source file in lines: a longer one holds two subjects.
const LONGEST_FILE: usize = 500;

/// Endings of the files whose white space is checked. Shell scripts are known by their first line.
const TEXT_FILES: &[&str] = &["rs", "lua", "md", "toml", "sh"];

/// What may not stand in code, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("static mut", "give the state an owner, so that two nodes fit in one process"),
    ("todo!", "write it, or return an error"),
    ("unimplemented!", "write it, or return an error"),
    ("#[ignore", "mend the test, or remove it"),
];

#[test]
fn modules_import_only_the_layers_below_them() {
    let sources = files_with_ending("src", "rs");
    let modules: BTreeSet<&str> = sources.iter().map(File::module).collect();
    // An exported macro is reached by `crate::name`, in whatever module it stands.
    let mut macros = BTreeMap::new();
    for file in &sources {
        let code = code_only(&file.text);
        for (_, name) in names_behind(&code, "macro_rules! ") {
            macros.insert(name.to_owned(), file.module());
        }
    }
    let mut problems = Vec::new();
    for file in &sources {
        let module = file.module();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            let what = format!("`{module}` has no layer: add it to LAYERS in tests/tidy/main.rs");
            problems.push(file.problem(1, &what));
            continue;
        };
        let code = code_only(&file.text);
        let mut imports = names_behind(&code, "crate::");
        let upward = names_behind(&code, "super::super::").into_iter();
        imports.extend(upward.filter(|(_, name)| modules.contains(name)));
        for (at, name) in imports {
            let owner = modules.get(name).or_else(|| macros.get(name));
            let what = match (owner, allowed) {
                (None, _) => format!("`crate::{name}` is no module: import from its module"),
                (Some(owner), _) if *owner == module => continue,
                (Some(owner), Only(those)) if those.contains(owner) => continue,
                (Some(owner), AllBut(those)) if !those.contains(owner) => continue,
                (Some(owner), _) => {
                    format!("`{module}` may not import `{owner}`: move the code to a layer above")
                }
            };
            problems.push(file.problem(line_at(&code, at), &what));
        }
    }
    report(&problems);
}

#[test]
fn mlua_is_named_only_where_lua_is_known() {
    let mut problems = Vec::new();
    for file in files_with_ending("src", "rs") {
        if KNOW_MLUA.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let code = code_only(&file.text);
        for at in places(&code, "mlua") {
            let what = format!("`{}` knows no Lua: use the trait Actor", file.module());
            problems.push(file.problem(line_at(&code, at), &what));
        }
    }
    report(&problems);
}

#[test]
fn unsafe_stands_only_where_it_has_leave() {
    let mut problems = Vec::new();
    let mut unused: BTreeMap<&str, &str> = MAY_BE_UNSAFE.iter().copied().collect();
    for file in files_with_ending("src", "rs") {
        let code = code_only(&file.text);
        let leave = MAY_BE_UNSAFE
            .iter()
            .map(|(path, _)| *path)
            .find(|path| file.path == *path || path.ends_with('/') && file.path.starts_with(path));
        for at in places(&code, "unsafe") {
            if let Some(path) = leave {
                unused.remove(path);
                continue;
            }
            let what = "`unsafe` without leave: move it to vm/, or list the file with its reason in \
                        tests/tidy/main.rs";
            problems.push(file.problem(line_at(&code, at), what));
        }
    }
    problems.extend(unused.iter().map(|(path, reason)| {
        format!("{path}: has no `unsafe` ({reason}): remove it from tests/tidy/main.rs")
    }));
    report(&problems);
}

#[test]
fn every_unsafe_block_has_its_safety_argument() {
    let mut problems = Vec::new();
    for file in files_with_ending("src", "rs") {
        let code = code_only(&file.text);
        let lines: Vec<&str> = file.text.lines().collect();
        let indent = |index: usize| lines[index].len() - lines[index].trim_start().len();
        // The last block with an argument. One close behind it, in the same group of statements,
        // shares the argument.
        let mut argued: Option<usize> = None;
        for at in places(&code, "unsafe") {
            let after = code[at + "unsafe".len()..].trim_start();
            if !after.starts_with('{') && leading_word(after) != "impl" {
                continue;
            }
            let index = line_at(&code, at) - 1;
            let shares = argued.is_some_and(|other| {
                let group = &lines[other..index];
                group.len() <= SAFETY_DISTANCE
                    && indent(other) == indent(index)
                    && group.iter().all(|line| !line.trim().is_empty())
            });
            let above = &lines[index.saturating_sub(SAFETY_DISTANCE)..=index];
            if shares || above.iter().any(|line| line.contains("SAFETY")) {
                argued = Some(index);
            } else {
                let what = "`unsafe` without argument: say above it why it holds, `// SAFETY: ...`";
                problems.push(file.problem(index + 1, what));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_source_file_opens_with_its_role() {
    let mut problems = Vec::new();
    for (folder, ending, header) in [("src", "rs", "//!"), ("lua", "lua", "---")] {
        for file in files_with_ending(folder, ending) {
            if !file.text.starts_with(header) {
                let what = format!("no role: begin with `{header}` and what the file is for");
                problems.push(file.problem(1, &what));
            }
        }
    }
    report(&problems);
}

#[test]
fn no_source_file_is_too_long() {
    let mut problems = Vec::new();
    for (folder, ending) in [("src", "rs"), ("lua", "lua")] {
        for file in files_with_ending(folder, ending) {
            let lines = file.text.lines().count();
            if lines > LONGEST_FILE {
                let what = format!("{lines} lines (limit {LONGEST_FILE}): split it by subject");
                problems.push(file.problem(LONGEST_FILE + 1, &what));
            }
        }
    }
    report(&problems);
}

#[test]
fn text_has_no_tabs_and_no_trailing_blanks_and_ends_with_a_newline() {
    let is_text =
        |file: &File| file.is_shell() || TEXT_FILES.iter().any(|ending| file.has_ending(ending));
    let mut problems = Vec::new();
    for file in files("").into_iter().filter(is_text) {
        for (index, line) in file.text.split('\n').enumerate() {
            if line.contains('\t') {
                problems.push(file.problem(index + 1, "a tab: use blanks"));
            }
            if line.ends_with(char::is_whitespace) {
                problems.push(file.problem(index + 1, "trailing blanks: remove them"));
            }
        }
        if !file.text.ends_with('\n') {
            let last = file.text.lines().count();
            problems.push(file.problem(last, "no newline at the end: add one"));
        }
    }
    report(&problems);
}

#[test]
fn nothing_is_left_open_and_no_test_is_switched_off() {
    let mut problems = Vec::new();
    for file in files_with_ending("", "rs") {
        let code = code_only(&file.text);
        for (banned, instead) in BANNED {
            // `&'static mut` is a lifetime.
            for at in places(&code, banned).into_iter().filter(|at| !code[..*at].ends_with('\'')) {
                let what = format!("`{banned}`: {instead}");
                problems.push(file.problem(line_at(&code, at), &what));
            }
        }
    }
    report(&problems);
}

#[test]
fn relative_links_lead_to_files() {
    let mut problems = Vec::new();
    for file in files_with_ending("", "md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, target) in links(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !outside && !path.is_empty() && !top().join(folder).join(path).exists() {
                let what = format!("a link to `{path}`, which is not there: mend or remove it");
                problems.push(file.problem(line, &what));
            }
        }
    }
    report(&problems);
}

/// The targets of Markdown links outside code, with their lines.
fn links(markdown: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in markdown.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        // A target is followed by `)`, or by a title; code spans are every second part.
        for prose in line.split('`').step_by(2) {
            let targets = prose.split("](").skip(1).map(|after| after.split([')', ' ']).next());
            found.extend(targets.flatten().map(|target| (index + 1, target)));
        }
    }
    found
}

#[test]
fn links_are_found_in_prose_only() {
    let found =
        links("[a](b.md#c) `[d](e)` [f](https://g)\n```\n[h](i)\n```\n![j](k \"l\") [`m`](n)");
    assert_eq!(found, [(1, "b.md#c"), (1, "https://g"), (5, "k"), (5, "n")]);
}

#[test]
fn the_config_page_has_every_key_with_its_default() {
    let keys = File::read("src/config/keys.rs").expect("src/config/keys.rs is there");
    let page = File::read("docs/config.md").expect("docs/config.md is there");
    let mut rows = BTreeMap::new();
    for (index, row) in page.text.lines().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if let ["", key, default, ..] = cells[..]
            && let Some(key) = key.strip_prefix('`').and_then(|key| key.strip_suffix('`'))
        {
            rows.insert(key, (index + 1, default));
        }
    }
    let mut problems = Vec::new();
    for (index, line) in keys.text.lines().enumerate() {
        // Key::silent("start", "main"),
        let Some(entry) = line.trim().strip_prefix("Key::") else { continue };
        let parts: Vec<&str> = entry.split('"').collect();
        let expected = match parts[..] {
            ["absent(", _, _] => "-".to_owned(),
            ["silent(", _, _, value, _] => format!("`{value}`"),
            ["written_back(", _, _, value, _] => format!("`{value}` ¹"),
            _ => continue,
        };
        let key = parts[1];
        match rows.remove(key) {
            Some((_, default)) if default == expected => {}
            Some((row, default)) => {
                let what = format!("the default of `{key}` is {expected}, not {default}: mend it");
                problems.push(page.problem(row, &what));
            }
            None => {
                let what = format!("key `{key}` has no row in docs/config.md: write one");
                problems.push(keys.problem(index + 1, &what));
            }
        }
    }
    for (key, (row, _)) in rows {
        let what = format!("`{key}` is no key of src/config/keys.rs: remove the row");
        problems.push(page.problem(row, &what));
    }
    report(&problems);
}

#[test]
fn the_compatibility_page_has_every_name_with_an_answer_and_a_test() {
    let page = File::read("docs/compat.md").expect("docs/compat.md is there");
    let mut rows = BTreeSet::new();
    let mut problems = Vec::new();
    for (index, row) in page.text.lines().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", module, names, answer, tests, ""] = cells[..] else { continue };
        let Some(module) = module.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        rows.extend(names.split('`').skip(1).step_by(2).map(|name| format!("{module} {name}")));
        let first = answer.split([':', ';', ' ']).next().unwrap_or_default();
        if !["same", "better", "absent"].contains(&first) {
            problems.push(page.problem(index + 1, "the answer begins with same, better or absent"));
        }
        if first == "absent" && answer.len() < 10 {
            problems.push(page.problem(index + 1, "say why it is absent"));
        }
        if first != "absent" && !tests.contains("](../") {
            problems.push(page.problem(index + 1, "link the test that holds it"));
        }
    }
    for list in ["v1.3", "newest"] {
        let path = format!("tests/vectors/names/{list}.txt");
        let names = File::read(&path).expect("the list is there");
        for (index, line) in names.text.lines().enumerate() {
            let name = line.replace('\t', " ");
            if !rows.contains(&name) {
                let what = format!("`{name}` has no row in docs/compat.md");
                problems.push(names.problem(index + 1, &what));
            }
        }
    }
    report(&problems);
}
