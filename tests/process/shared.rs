//! Shared tables and patterns, where a genuine skynet does otherwise.

use crate::support::Folder;

/// Runs a main script and gives what it printed.
fn output(config: &str, files: &[(&str, &str)], main: &str) -> String {
    let folder = Folder::new();
    folder.config(config);
    for (name, text) in files {
        folder.write(name, text);
    }
    let main = format!(
        "local skynet = require 'skynet.manager'
         local function text(ok, message)
           return (tostring(message):gsub('^.-:%d+: ', ''))
         end
         skynet.start(function()
           {main}
           print 'the end'
           skynet.abort()
         end)"
    );
    folder.write("main.lua", &main);
    let mut node = folder.start();
    node.expect("the end");
    assert_eq!(node.code(), Some(0));
    node.rest()
}

#[track_caller]
fn has(output: &str, lines: &[&str]) {
    for line in lines {
        assert!(output.lines().any(|other| other == *line), "no line `{line}` in:\n{output}");
    }
}

#[test]
fn a_reader_sees_one_version_within_a_message_and_the_latest_in_the_next() {
    let writer = "local skynet = require 'skynet'
        local sharedata = require 'skynet.sharedata'
        skynet.start(function()
          skynet.dispatch('lua', function(_, _, version)
            sharedata.update('data', { version = version, part = { version = version } })
            skynet.retpack(sharedata.query('data').part.version)
          end)
        end)";
    let output = output(
        "",
        &[("writer.lua", writer)],
        "local sharedata = require 'skynet.sharedata'
         local writer = skynet.newservice 'writer'
         print('writer', skynet.call(writer, 'lua', 1))
         local data = sharedata.query 'data'
         local part = data.part
         for version = 2, 100 do
           skynet.send(writer, 'lua', version)
           for _ = 1, 1000 do
             assert(data.version == part.version and data.part == part)
           end
           skynet.yield()
         end
         print('writer', skynet.call(writer, 'lua', 101), data.version, part.version)",
    );
    has(&output, &["writer\t1", "writer\t101\t101\t101"]);
}

#[test]
fn a_part_that_is_gone_is_empty_in_sharetable_and_comes_back() {
    let output = output(
        "",
        &[],
        "local sharetable = require 'skynet.sharetable'
         sharetable.loadtable('t', { part = { x = 1, { 'deep' } } })
         local t = sharetable.query 't'
         local part, deep = t.part, t.part[1]
         sharetable.loadtable('t', { part = 5 })
         sharetable.update 't'
         print('gone', next(part), #part, part.x, #deep, t.part, t == sharetable.query 't')
         sharetable.loadtable('t', { part = { x = 3 } })
         sharetable.update 't'
         print('back', part.x, part == t.part, #deep)
         print('write', text(pcall(function() t.x = 1 end)))
         print('write', text(pcall(rawset, t, 'x', 1)))
         print('nil', t[nil], rawget(t, {}))",
    );
    has(
        &output,
        &[
            "gone\tnil\t0\tnil\t0\t5\ttrue",
            "back\t3\ttrue\t0",
            "write\tattempt to change a shared table",
            "nil\tnil\tnil",
        ],
    );
}

#[test]
fn a_part_is_found_again_after_an_update_whatever_its_name_is() {
    let output = output(
        "",
        &[],
        "local sharetable = require 'skynet.sharetable'
         local sharedata = require 'skynet.sharedata'
         local names = { 1, 3, 0, -1, 1 << 40, math.maxinteger, math.mininteger, 1.5, true, false,
           'x', 'fourteen bytes', 'fifteen bytes !', ('long'):rep(20) }
         local function version(number)
           local t = {}
           for _, name in ipairs(names) do
             t[name] = { number = number, list = { { number = number, text = 'the version is ' .. number } } }
           end
           return t
         end
         sharetable.loadtable('t', version(1))
         local t = sharetable.query 't'
         local parts, rows = {}, {}
         for i, name in ipairs(names) do
           parts[i], rows[i] = t[name], t[name].list[1]
           assert(rows[i].number == 1 and rawequal(parts[i], t[name]) and rawequal(rows[i], parts[i].list[1]))
         end
         sharetable.loadtable('t', {})
         sharetable.update 't'
         for i in ipairs(names) do
           assert(next(parts[i]) == nil and rows[i].number == nil)
         end
         sharetable.loadtable('t', version(3))
         sharetable.update 't'
         for i, name in ipairs(names) do
           assert(rows[i].number == 3 and rows[i].text == 'the version is 3', name)
           assert(rawequal(parts[i], t[name]) and rawequal(rows[i], t[name].list[1]))
         end
         sharedata.new('data', { list = { {}, { 1, { 2 } } } })
         local row = sharedata.query('data').list[2]
         local deep = row[2]
         sharedata.update('data', { list = { {}, { 3 } } })
         skynet.yield()
         print('row', row[1], text(pcall(function() return deep[1] end)))
         sharedata.update('data', { list = {} })
         skynet.yield()
         print('gone', text(pcall(function() return row[1] end)))",
    );
    has(
        &output,
        &[
            "row\t3\tThe key [.list.2.2] doesn't exist after update",
            "gone\tThe key [.list.2] doesn't exist after update",
        ],
    );
}

#[test]
fn a_view_shows_nothing_of_how_it_is_kept() {
    let output = output(
        "",
        &[],
        "local sharetable = require 'skynet.sharetable'
         sharetable.loadtable('t', { rows = { { id = 1, tags = { 'a' } } }, by = { name = { id = 2 } } })
         local t = sharetable.query 't'
         local row, named = t.rows[1], t.by.name
         assert(row.tags[1] == 'a')
         local keys = {}
         for _, view in ipairs { t, t.rows, row, t.by, named } do
           for key in pairs(view) do keys[#keys + 1] = tostring(key) end
           for key in next, view do keys[#keys + 1] = tostring(key) end
         end
         table.sort(keys)
         print('keys', table.concat(keys, ' '))
         print('length', #row, rawlen(row), #t.rows, rawlen(t.rows), getmetatable(row))
         print('row', row[1], row[2], row[3], rawget(row, 1), select('#', table.unpack(row)))",
    );
    has(
        &output,
        &[
            "keys\t1 1 by by id id id id name name rows rows tags tags",
            "length\t0\t0\t1\t1\tfalse",
            "row\tnil\tnil\tnil\tnil\t0",
        ],
    );
}

#[test]
fn bson_of_what_sharedata_shares_has_its_names() {
    let output = output(
        "",
        &[],
        "local bson = require 'bson'
         local sharedata = require 'skynet.sharedata'
         sharedata.new('data', { map = { a = 1, sub = { b = 'x' } }, list = { 1, 2 }, empty = {}, gap = { [5] = 1 } })
         local data = sharedata.query 'data'
         local v = bson.decode(bson.encode { map = data.map, list = data.list })
         print('decoded', v.map.a, v.map.sub.b, #v.list, v.list[2])
         -- The number of an array, not of a document, as skynet has it.
         print('empty', (tostring(bson.encode { v = data.empty }):byte(5)))
         print('gap', text(pcall(bson.encode, { v = data.gap })))
         local map = data.map
         sharedata.update('data', { map = 1 })
         skynet.yield()
         print('gone', text(pcall(bson.encode, { v = map })))",
    );
    has(
        &output,
        &[
            "decoded\t1\tx\t2\t2",
            "empty\t4",
            "gap\tBson dictionary's key can't be number",
            "gone\tThe key [.map] doesn't exist after update",
        ],
    );
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_old_version() {
    let output = output(
        "shared_limit = 1",
        &[],
        "local sharedata = require 'skynet.sharedata'
         local sharetable = require 'skynet.sharetable'
         sharedata.new('data', { 'small' })
         local large = {}
         for i = 1, 100000 do large[i] = i end
         print(text(pcall(sharedata.update, 'data', large)))
         print('kept', sharedata.query('data')[1])
         for i = 1, 30 do sharedata.update('data', { i, ('x'):rep(200000 + i) }) end
         print('freed', sharedata.query('data')[1])
         local deep = {}
         for i = 1, 1000 do deep = { deep } end
         print(text(pcall(sharedata.new, 'deep', deep)))
         print(text(pcall(sharetable.loadstring, 'bad', 'local x = 1 return { function() return x end }')))
         print(text(pcall(sharetable.loadstring, 'bad', 'return { coroutine.create(print) }')))
         print(text(pcall(sharetable.loadstring, 'bad', 'return { setmetatable({}, {}) }')))
         print(text(pcall(sharedata.new, 'bad', { [1.5] = 1 })))
         print(text(pcall(sharedata.new, 'bad', { [true] = 1 })))
         print(text(pcall(sharedata.new, 'bad', { f = print })))
         print(text(pcall(sharedata.new, 'data', {})))
         print('pairs', (function()
           sharedata.new('pairs', setmetatable({}, { __pairs = function() return next, { a = 1 }, nil end }))
           return sharedata.query('pairs').a
         end)())",
    );
    has(
        &output,
        &[
            "sharedata 'data' does not fit: shared data of the node may take 1 MiB (config: shared_limit)",
            "kept\tsmall",
            "freed\t30",
            "the table is too deep to be shared (limit 200 levels)",
            "Invalid function with upvalue",
            "Invalid type [thread]",
            "Can't share metatable",
            "Invalid key 1.500000",
            "Invalid key type boolean",
            "Unsupport value type function",
            "sharedata 'data' exists already",
            "pairs\t1",
        ],
    );
}

#[test]
fn matrices_of_sharetable_core_are_tables_without_a_name() {
    let output = output(
        "",
        &[],
        "local core = require 'skynet.sharetable.core'
         local matrix = core.matrix('local n = ... return { n = n, list = { 1, 2 } }', 7)
         local t = core.clone(matrix:getptr())
         print('clone', t.n, #t.list, core.is_sharedtable(t), core.is_sharedtable {}, matrix:size() > 0)
         matrix:close()
         matrix:close()
         print('closed', t.n, (pcall(core.clone, matrix:getptr())))
         local list = {}
         print('stack', core.stackvalues(coroutine.create(print), list), list[1] == print)",
    );
    has(&output, &["clone\t7\t2\ttrue\tfalse\ttrue", "closed\t7\tfalse", "stack\t1\ttrue"]);
}

#[test]
fn views_of_nobody_are_collected() {
    let output = output(
        "",
        &[],
        "local sharetable = require 'skynet.sharetable'
         local rows = {}
         for i = 1, 50000 do rows[i] = { id = i, name = 'row ' .. i } end
         sharetable.loadtable('rows', rows)
         rows = nil
         collectgarbage()
         collectgarbage()
         local before = collectgarbage 'count'
         local sum, shared = 0, sharetable.query 'rows'
         for round = 1, 3 do
           for _, row in ipairs(shared) do sum = sum + row.id + #row.name end
         end
         collectgarbage()
         collectgarbage()
         print('left', collectgarbage 'count' - before < 4096, sum)",
    );
    let sum = 3 * ((1..=50_000_u64).sum::<u64>() + (1..=50_000_u64).map(digits).sum::<u64>());
    has(&output, &[&format!("left\ttrue\t{sum}")]);
}

/// Bytes of `row N`.
fn digits(number: u64) -> u64 {
    4 + number.to_string().len() as u64
}

#[test]
fn patterns_and_matches_have_bounds() {
    let output = output(
        "",
        &[],
        "local lpeg = require 'lpeg'
         print(text(pcall(function()
           local p = lpeg.P 'ab'
           for _ = 1, 64 do p = p * p end
         end)))
         print(text(pcall(lpeg.P, 1 << 40)))
         print(text(pcall(function()
           local p = lpeg.P 'a'
           for _ = 1, 2000 do p = (p * 'b') ^ -1 + 'x' end
           return p:match 'a'
         end)))
         lpeg.setmaxstack(100000)
         print(text(pcall(lpeg.match, lpeg.P { lpeg.Ct('(' * lpeg.V(1) ^ -1 * ')') },
           ('('):rep(10000) .. (')'):rep(10000))))
         local p = lpeg.utfR(0x4e00, 0x9fff)
         print('utf', p:match '\\u{4e00}', p:match '\\u{9fff}', p:match '\\u{a000}', p:match 'a', (lpeg.utfR(0, 0x10ffff) ^ 0):match 'a\\u{e9}\\u{4e2d}\\u{1f600}')
         print(text(pcall(lpeg.utfR, 0, 0x110000)))
         print('debug', (pcall(lpeg.ptree, p)), (pcall(lpeg.pcode, p)), lpeg.version())
         -- A function that ends the life of what is matched with.
         local q
         q = lpeg.Cmt(lpeg.C(1), function() q = nil collectgarbage() return true, 'kept' end) * lpeg.C(1)
         print('match', q:match 'ab')
         -- An error in the midst of a text.
         print('error', pcall(lpeg.match, lpeg.Cs(lpeg.P(1) * (lpeg.P(1) / function() error('in', 0) end)), 'ab'))
         print('text', lpeg.Cs((lpeg.C(1) / function(c)
           pcall(lpeg.match, lpeg.Cs(1 * (lpeg.P(1) / error)), 'xy')
           return c .. c
         end) ^ 0):match 'abc')",
    );
    has(
        &output,
        &[
            "pattern too big (limit 1048576 parts)",
            "pattern too deep (limit 500 levels)",
            "captures are nested too deep (limit 2000)",
            "utf\t4\t4\tnil\tnil\t11",
            "debug\tfalse\tfalse\t1.0.2",
            "match\tkept\tb",
            "error\tfalse\tin",
            "text\taabbcc",
        ],
    );
}
