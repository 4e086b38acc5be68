//! `skynet.packstring` and `skynet.unpack` against bytes captured from a genuine skynet.

use std::fs;
use std::path::Path;

use super::support::Folder;

/// Checks every line of the vectors, both ways; prints what differs and the number of lines.
const MAIN: &str = r##"
local skynet = require "skynet"
require "skynet.manager"

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function lines(name)
  local list = {}
  for line in io.lines(name) do
    if line:sub(1, 1) ~= "#" then
      local expression, bytes = line:match "^([^\t]*)\t(.*)$"
      list[#list + 1] = { expression, bytes }
    end
  end
  return list
end

skynet.start(function()
  -- Where Lua 5.3 measures a table with holes differently, its own bytes count.
  local differs = {}
  for _, line in ipairs(lines "lua53-differences.tsv") do
    differs[line[1]] = line[2]
  end
  local checked = 0
  for _, line in ipairs(lines "vectors.tsv") do
    local expression, expected = line[1], differs[line[1]] or line[2]
    local made = hex(skynet.packstring(assert(load("return " .. expression))()))
    if made ~= expected then
      print(("packed %s: %s, not %s"):format(expression, made:sub(1, 80), expected:sub(1, 80)))
    end
    -- Reading the captured bytes and writing them again gives the same bytes, but for the order
    -- of a table's pairs; their number and size stay.
    local bytes = expected:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
    local again = skynet.packstring(skynet.unpack(bytes))
    if #again ~= #bytes or (not expression:find "=" and again ~= bytes) then
      print(("read %s: %s"):format(expression, hex(again):sub(1, 80)))
    end
    checked = checked + 1
  end
  local refused = 0
  for line in io.lines "errors.txt" do
    local bytes, text = line:match "^unpack hex (%x+)\tfalse\t(Invalid serialize stream %d+)"
    if bytes then
      bytes = bytes:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
      local ok, err = pcall(skynet.unpack, bytes)
      if ok or not err:find(text, 1, true) then
        print(("bad bytes of %q: %s"):format(line, err))
      end
      refused = refused + 1
    end
  end
  print(("checked %d refused %d"):format(checked, refused))
  skynet.abort()
end)
"##;

#[test]
fn packing_gives_the_bytes_of_a_genuine_skynet_and_reads_them() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/seri");
    let folder = Folder::new();
    for name in ["vectors.tsv", "lua53-differences.tsv", "errors.txt"] {
        folder.write(name, fs::read(vectors.join(name)).unwrap());
    }
    folder.write("main.lua", MAIN).config("logger = 'log'");
    let (status, output, errors) = folder.run();
    let expected = fs::read_to_string(vectors.join("vectors.tsv")).unwrap();
    let count = expected.lines().filter(|line| !line.starts_with('#')).count();
    let last = output.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("checked {count} refused 9")), "{output}{errors}");
    assert_eq!(output.lines().count(), 1, "{output}");
    assert_eq!(status, Some(0), "{}", folder.read("log"));
}
