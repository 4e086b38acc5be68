//! Every name of skynet's library, as `tests/vectors/names` lists them, is there. What is absent has
//! a row in docs/compat.md that says so and why.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::Folder;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names with the answer `absent` in docs/compat.md, as `module name`.
fn absent() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/compat.md")).unwrap();
    let mut found = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        if cells[3].starts_with("absent") {
            let module = cells[1].trim_matches('`');
            found.extend(
                cells[2].split('`').skip(1).step_by(2).map(|name| format!("{module} {name}")),
            );
        }
    }
    found
}

#[test]
fn every_name_of_skynet_is_there_or_said_to_be_absent() {
    let folder = Folder::new();
    let script = r#"
local skynet = require "skynet"
require "skynet.manager"

local function find(module, name)
  local ok, value = pcall(require, module)
  if not ok then
    return false, value
  end
  -- An alias, a module that is a function, a method: that it loads is what can be seen from here.
  if name:find "[:<(=]" then
    return true
  end
  for part in name:gmatch "[^.]+" do
    value = (type(value) == "table" or type(value) == "userdata") and value[part] or nil
  end
  return value ~= nil
end

skynet.start(function()
  -- The reader of a datasheet asks for the service that its builder starts.
  pcall(require, "skynet.datasheet.builder")
  local list = assert(io.open(skynet.getenv "names"))
  local count = 0
  for line in list:lines() do
    local module, name = line:match "^([^\t]+)\t(.+)$"
    count = count + 1
    if not find(module, name) then
      print("MISSING " .. module .. " " .. name)
    end
  end
  print("COUNT " .. count)
  skynet.abort()
end)"#;
    let absent = absent();
    for (list, least) in [("v1.3.txt", 570), ("newest.txt", 650)] {
        let names = root().join("tests/vectors/names").join(list);
        folder.config(&format!("names = '{}'", names.display())).write("main.lua", script);
        let (code, out, errors) = folder.run();
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
        let said = |word: &str| -> BTreeSet<String> {
            out.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
        };
        let count: usize = said("COUNT ").first().unwrap().parse().unwrap();
        assert!(count >= least, "{list}: {count} names");
        let missing: Vec<_> = said("MISSING ").difference(&absent).cloned().collect();
        assert!(
            missing.is_empty(),
            "{list}: neither there nor a row of docs/compat.md: {missing:#?}"
        );
    }
}
