//! Nodes that are killed and started again under load: every call returns or raises, no answer
//! reaches another caller, and what was acknowledged was done.
//!
//! Every node calls every other all the time. A request carries a tag that no other request has; the
//! answer repeats it, together with who answered, since when, and the how-manieth request of that
//! caller it was.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::own_address;
use super::peer::{Peer, string_of, text};
use crate::support::{Folder, Node};

/// Coroutines of a node that call.
const CALLERS: usize = 8;

const MAIN: &str = r#"
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local me, callers = skynet.getenv "me", tonumber(skynet.getenv "callers")
local life = ("%s/%s"):format(me, skynet.getenv "life")
local others = {}
for name in skynet.getenv "others":gmatch "%S+" do
  others[#others + 1] = name
end

local done = {} -- requests served, by who asked
local acknowledged = {} -- answers, by who answered
local failed = {} -- calls that raised, by whom they were for
local highest = {} -- number of the newest request that each life has acknowledged
local wrong, stopping, running = {}, false, 0
local waiter

local function note(...)
  wrong[#wrong + 1] = table.concat({ ... }, " ")
end

-- Who waits for a count to change, each with what it waits for.
local watchers = {}

local function changed()
  for token, holds in pairs(watchers) do
    if holds() then
      watchers[token] = nil
      skynet.wakeup(token)
    end
  end
end

local function await(holds)
  if not holds() then
    local token = {}
    watchers[token] = holds
    skynet.wait(token)
  end
end

local function ask(caller, number)
  local other = others[(caller + number) % #others + 1]
  local tag = ("%s:%d:%d"):format(life, caller, number)
  -- Some requests and answers go in parts.
  local body = ("x"):rep(number % 50 == 0 and 40000 or 10)
  local ok, echo, who, count, size = pcall(cluster.call, other, "@count", "count", tag, life, body)
  if not ok then
    local why = tostring(echo)
    if not (why:find "call failed" or why:find "dest address type %(nil%)") then
      note(tag, "raised", why)
    end
    failed[other] = (failed[other] or 0) + 1
    changed()
    return skynet.sleep(1)
  end
  if echo ~= tag or who:match "^[^/]+" ~= other or #size ~= #body then
    note(tag, "for", other, "was answered", tostring(echo), "by", tostring(who))
  end
  acknowledged[who] = (acknowledged[who] or 0) + 1
  changed()
  highest[who] = math.max(highest[who] or 0, count)
end

local function load_of(caller)
  running = running + 1
  local number = 0
  while not stopping do
    number = number + 1
    ask(caller, number)
  end
  running = running - 1
  if running == 0 and waiter then
    skynet.wakeup(waiter)
  end
end

local command = {}

function command.count(tag, from, body)
  done[from] = (done[from] or 0) + 1
  return tag, life, done[from], body
end

-- Answers once this node has answers of that life.
function command.reach(who)
  local from = acknowledged[who] or 0
  await(function()
    return (acknowledged[who] or 0) >= from + 50
  end)
  return "reached"
end

-- Answers once calls to that node have failed.
function command.fails(other)
  await(function()
    return failed[other]
  end)
  return "failed"
end

function command.stop()
  stopping = true
  if running > 0 then
    waiter = coroutine.running()
    skynet.wait(waiter)
  end
  return "stopped"
end

-- `name value` pairs of what happened here.
function command.report(what)
  local list = {}
  for name, value in pairs(({ done = done, acknowledged = acknowledged, failed = failed, highest = highest })[what]) do
    list[#list + 1] = name .. " " .. value
  end
  return table.concat(list, "\n")
end

function command.wrong()
  return table.concat(wrong, "\n")
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, ...)
    skynet.retpack(command[name](...))
  end)
  cluster.register "count"
  cluster.open(me)
  for caller = 1, callers do
    skynet.fork(load_of, caller)
  end
  print("open " .. life)
end)
"#;

/// One of the nodes and its control connection.
struct Member {
    folder: Folder,
    name: String,
    address: SocketAddr,
    life: usize,
    node: Node,
    control: Peer,
}

impl Member {
    fn start(name: &str, all: &[(String, SocketAddr)], life: usize, folder: Folder) -> Self {
        let others = all.iter().map(|(name, _)| name.as_str()).filter(|other| other != &name);
        let others: Vec<&str> = others.collect();
        folder.config(&format!(
            "cluster = './clustername.lua'\nme = '{name}'\nlife = '{life}'\ncallers = {CALLERS}\n\
             others = '{}'\nlogger = 'log'",
            others.join(" ")
        ));
        let names = all.iter().map(|(name, address)| format!("{name} = '{address}'\n"));
        folder.write("clustername.lua", names.collect::<String>()).write("main.lua", MAIN);
        let mut node = folder.start();
        node.expect("open ");
        let address = all.iter().find(|(other, _)| other == name).unwrap().1;
        let control = Peer::connect(address);
        Self { folder, name: name.to_owned(), address, life, node, control }
    }

    fn ask(&mut self, command: &str, argument: &str) -> String {
        let body = [text(command), text(argument)].concat();
        let answer = self.control.call("@count", &body);
        string_of(&answer.unwrap_or_else(|why| panic!("{}: {why}", self.folder.read("log"))))
            .unwrap()
    }

    fn life(&self) -> String {
        format!("{}/{}", self.name, self.life)
    }

    fn report(&mut self, what: &str) -> HashMap<String, usize> {
        let text = self.ask("report", what);
        let pairs = text.lines().map(|line| line.rsplit_once(' ').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }
}

fn survives_crashes(count: usize, crashes: usize) {
    let all: Vec<_> = (0..count).map(|number| (format!("n{number}"), own_address())).collect();
    let mut members: Vec<Member> =
        all.iter().map(|(name, _)| Member::start(name, &all, 1, Folder::new())).collect();
    for crash in 0..crashes {
        let victim = crash % count;
        let witness = (victim + 1) % count;
        let life = members[victim].life();
        assert_eq!(members[witness].ask("reach", &life), "reached");
        // Killed within its load, with calls on their way in both directions.
        members[victim].node.signal("KILL");
        members[victim].node.wait();
        let name = members[victim].name.clone();
        assert_eq!(members[witness].ask("fails", &name), "failed");
        let old = members.remove(victim);
        let again = Member::start(&name, &all, old.life + 1, old.folder);
        assert_eq!(again.address, old.address);
        let life = again.life();
        members.insert(victim, again);
        assert_eq!(members[witness].ask("reach", &life), "reached", "the link came back by itself");
    }
    let lives: Vec<String> = members.iter().map(Member::life).collect();
    for member in &mut members {
        let own = member.life();
        for life in lives.iter().filter(|life| **life != own) {
            assert_eq!(member.ask("reach", life), "reached", "all are linked");
        }
    }
    for member in &mut members {
        assert_eq!(member.ask("stop", ""), "stopped", "every call has returned or raised");
    }

    let done: Vec<_> = members.iter_mut().map(|member| member.report("done")).collect();
    for member in &mut members {
        assert_eq!(member.ask("wrong", ""), "", "{}", member.name);
        let acknowledged = member.report("acknowledged");
        let highest = member.report("highest");
        let failed = member.report("failed");
        let name = member.life();
        for (life, done) in lives.iter().zip(&done).filter(|(life, _)| **life != name) {
            let (other, _) = life.split_once('/').unwrap();
            let served = done.get(&name).copied().unwrap_or(0);
            let answered = acknowledged.get(life).copied().unwrap_or(0);
            let lost = failed.get(other).copied().unwrap_or(0);
            assert!(answered > 0, "{name} has had answers of {life}");
            // Done once for each answer, and never more often than asked.
            assert!(served >= answered, "{life} served {served}, {name} has {answered} answers");
            assert!(served <= answered + lost, "{life}: {served} > {answered} + {lost}");
            assert!(served >= highest[life], "{life}: {served} < {}", highest[life]);
        }
    }
}

#[test]
fn two_nodes_under_load_survive_kills_without_a_lost_or_mixed_up_answer() {
    survives_crashes(2, 4);
}

#[test]
fn five_nodes_under_load_survive_kills_without_a_lost_or_mixed_up_answer() {
    survives_crashes(5, 5);
}
