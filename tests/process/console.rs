//! The debug console, as people and their scripts talk to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;

use crate::support::{DEADLINE, Folder, Node};

/// The services of the transcripts, at the same addresses.
const MAIN: &str = r#"
local skynet = require "skynet.manager"
skynet.start(function()
  skynet.info_func(function() return "info of vdebug" end)
  skynet.dispatch("lua", function(_, _, ...) skynet.retpack(...) end)
  skynet.newservice("debug_console", "127.0.0.1", 0)
  skynet.newservice "simpledb"
  skynet.uniqueservice "vecho"
  require("skynet.service").new("my-service", function()
    local skynet = require "skynet"
    skynet.dispatch("lua", function(_, _, ...) skynet.retpack(...) end)
  end)
  require("skynet.snax").uniqueservice "pingserver"
  skynet.fork(function() skynet.sleep(1000000) end)
  print "ready"
end)
"#;

const ECHO: &str = r#"
local skynet = require "skynet"
skynet.start(function()
  skynet.dispatch("lua", function(_, _, ...) skynet.retpack(...) end)
end)
"#;

const SIMPLEDB: &str = r#"
local skynet = require "skynet"
local function answer(name, key)
  if name:upper() ~= "GET" then
    error("unknown command " .. name)
  end
  local value = key == "k" and "v" or nil
  return value
end
skynet.start(function()
  skynet.dispatch("lua", function(_, _, ...)
    local value = answer(...)
    skynet.retpack(value)
  end)
end)
"#;

/// A node with a console.
struct Subject {
    folder: Folder,
    node: Node,
    port: u16,
}

impl Subject {
    fn start() -> Self {
        let folder = Folder::new();
        folder
            .write("vdebug.lua", MAIN)
            .write("vecho.lua", ECHO)
            .write("simpledb.lua", SIMPLEDB)
            .write("pingserver.lua", "function response.ping(x) return x end")
            .write("inj.lua", "print('injected into', _P.lua ~= nil)")
            .config("start = 'vdebug'\nsnax = './?.lua'\nlogpath = '.'");
        let mut node = folder.start();
        let line = node.expect("Start debug console at 127.0.0.1:");
        let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
        node.expect("ready");
        node.expect("KILL self");
        Self { folder, node, port }
    }

    fn connect(&self) -> Console {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut console = Console(BufReader::new(stream));
        assert_eq!(console.line(), "Welcome to skynet console\n");
        console
    }

    /// Everything that comes back for `request` until the connection is closed.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// A connection to a console.
struct Console(BufReader<TcpStream>);

impl Console {
    fn type_line(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The answer to a command, with its last line.
    fn answer(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed after {answer:?}");
            answer += &line;
            if line == "<CMD OK>\n" || line == "<CMD Error>\n" {
                return answer;
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.type_line(line);
        self.answer()
    }

    /// What comes until `end`, of the debugger, whose prompt ends no line.
    fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))
            });
            bytes.push(byte[0]);
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// Replaces runs of digits, with points and hexadecimal letters of pointers, by `#`.
fn without_figures(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        out += &rest[..start];
        let figure = &rest[start..];
        let is_figure = |letter: char| letter.is_ascii_digit() || letter == '.';
        let end = if let Some(digits) = figure.strip_prefix("0x") {
            digits.find(|letter: char| !letter.is_ascii_hexdigit()).map(|end| end + 2)
        } else {
            figure.find(|letter| !is_figure(letter))
        };
        out.push('#');
        rest = &figure[end.unwrap_or(figure.len())..];
    }
    out + rest
}

/// See tests/vectors/debug_console/README.md.
fn normal(command: &str, answer: &str) -> String {
    let name = command.split_whitespace().next().unwrap_or_default();
    let mut lines = Vec::new();
    for line in answer.lines() {
        let mut line = line.to_owned();
        let place = line.find(".lua:").and_then(|at| Some(at + line[at..].find(": ")?));
        if let Some(place) = place.filter(|_| !line.contains('\t')) {
            line = line[place + 2..].to_owned();
        }
        let (key, value) = line.split_once('\t').unwrap_or(("", &line));
        let line = match name {
            "task" | "uniqtask" if line.starts_with('\t') => continue,
            "cmem" if [":00000002", ":fffffffe", ":ffffffff"].contains(&key) => continue,
            "cmem" | "jmem" if !key.is_empty() => {
                let words: Vec<String> = value.split_whitespace().map(without_figures).collect();
                format!("{key}\t{}", words.join(" "))
            }
            "stat" | "mem" | "gc" if !key.is_empty() => {
                format!("{key}\t{}", without_figures(value))
            }
            // Bytes are shown in whatever unit they have.
            "netstat" => without_figures(&line).replace("#K", "#"),
            "task" | "uniqtask" | "ping" => without_figures(&line),
            "kill" if key.starts_with(':') => key.to_owned(),
            "inject" if key == "proto" => continue,
            _ => line.replace("127.0.0.1 18820", "127.0.0.1 0"),
        };
        lines.push(line);
    }
    lines.join("\n")
}

/// Commands and answers of a transcript.
fn transcript(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix(">>> ").or_else(|| line.strip_prefix(">>>")) {
            steps.push((command.to_owned(), String::new()));
        } else if let Some((_, answer)) = steps.last_mut() {
            *answer += &format!("{line}\n");
        }
    }
    steps
}

#[test]
fn every_command_answers_as_in_the_transcripts_of_a_genuine_skynet() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/debug_console");
    let mut subject = Subject::start();
    let mut differences = Vec::new();
    let mut compared = 0;
    // Those that start services or change the environment come last.
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".txt") && name != "http_get.txt")
        .collect();
    names.sort_by_key(|name| (name == "start_kill.txt", name.clone()));
    for name in names {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        let mut console = subject.connect();
        for (command, expected) in transcript(&text) {
            if command.is_empty() {
                console.type_line("");
                continue;
            }
            let answer = console.ask(&command);
            if command.starts_with("exit ") {
                subject.node.expect("KILL self");
            }
            let (expected, answer) = (normal(&command, &expected), normal(&command, &answer));
            if expected != answer {
                differences.push(format!("{name}: {command}\n--- {expected}\n+++ {answer}"));
            }
            compared += 1;
        }
        // Its end is told of before the next connection shows in `netstat`.
        console.0.get_mut().shutdown(Shutdown::Both).unwrap();
        subject.node.expect("disconnect");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(compared, 38);
}

#[test]
fn a_request_of_http_is_a_command_whose_answer_is_plain_text() {
    let subject = Subject::start();
    let list = subject.connect().ask("list");
    let welcome = "Welcome to skynet console\n";
    let get = subject.ask("GET /list HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(get, format!("{welcome}{list}"));
    let call = subject.ask("GET /call/a/\"get\",\"k\" HTTP/1.1\r\n\r\n");
    assert_eq!(call, format!("{welcome}1\tv\nn\t1\n<CMD OK>\n"));
    let body = "call a \"get\",\"k\"";
    let post =
        subject.ask(&format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(post, call);
    let bad = subject.ask("GET /list HTTP/2.0\r\n\r\n");
    assert_eq!(bad, format!("{welcome}bad request: 505\n<CMD Error>\n"));
    let nothing = subject.ask("GET / HTTP/1.1\r\n\r\n");
    assert!(nothing.ends_with("type help for command list\n\n<CMD Error>\n"), "{nothing}");
}

#[test]
fn commands_report_what_they_cannot_do() {
    let mut subject = Subject::start();
    subject.folder.write("bad.lua", "print 'before' error 'bad things'");
    let mut console = subject.connect();
    for (command, part) in [
        ("info zz", "Need an address"),
        ("info", "Need an address"),
        ("info .nosuch", "Not a valid name"),
        ("ping 999", "call to invalid address :00000999"),
        ("call a nosuch.x", "attempt to index a nil value"),
        ("call a foo(", "Invalid arguments"),
        ("call a \"SET\"", "call failed"),
        ("inject 8 bad.lua", "before\nbad.lua:1: bad things"),
        ("setenv thread 5", "Can't setenv exist key : thread"),
        ("getenv", "need a name"),
        ("killtask 8", "need a thread"),
        ("dbgcmd a NOSUCH", "call failed"),
    ] {
        let answer = console.ask(command);
        assert!(answer.contains(part), "{command}: {answer}");
        assert!(answer.ends_with("\n<CMD Error>\n"), "{command}: {answer}");
    }
    assert_eq!(console.ask("inject 8 nosuch.lua"), "Can't open nosuch.lua\n<CMD OK>\n");
    assert_eq!(console.ask("start nosuch"), "Failed\n<CMD OK>\n");
    assert_eq!(console.ask("snax nosuch"), "Failed\n<CMD OK>\n");
    assert_eq!(console.ask("killtask 8 nosuch"), "Not found\n<CMD OK>\n");
    assert!(console.ask("dbgcmd a MEM").ends_with("<CMD OK>\n"));
    // Commands may come before the answers to earlier ones.
    console.type_line("ping a\nnosuch\nping b");
    assert!(console.answer().ends_with("<CMD OK>\n"));
    assert!(console.answer().ends_with("<CMD Error>\n"));
    assert!(console.answer().ends_with("<CMD OK>\n"));
    assert_eq!(console.ask("log simpledb"), ":00000010\tsimpledb\n<CMD OK>\n");
    subject.node.see(":00000010] LAUNCH snlua simpledb");
    assert!(subject.folder.path("00000010.log").exists());
    assert_eq!(console.ask("snax pingserver x"), ":00000011\tpingserver\n<CMD OK>\n");
}

#[test]
fn a_handler_can_be_stepped_through_line_by_line() {
    let mut subject = Subject::start();
    let mut console = subject.connect();
    let idle = ":0000000a>";
    console.type_line("debug a");
    assert_eq!(console.until(idle), idle);
    console.type_line("1 + 1, 'x'");
    assert_eq!(console.until(idle), format!("2\tx\t\n{idle}"));
    console.type_line("watch('nosuch')");
    assert!(console.until(idle).starts_with("No nosuch"));
    console.type_line("watch('lua', function(_, _, name) return name == 'get' end)");
    console.until(idle);

    let mut caller = subject.connect();
    assert!(caller.ask("call a \"GET\",\"k\"").contains("1\tv"), "does not fit the condition");
    caller.type_line("call a \"get\",\"k\"");
    // The handler is on the lines 10 to 13 of the script, what it calls on 3 to 8.
    assert!(console.until(">").ends_with("simpledb.lua(12)>"));
    console.type_line("n");
    assert!(console.until(">").ends_with("simpledb.lua(13)>"));
    console.type_line("value");
    assert!(console.until(">").starts_with("v\t\n"));
    console.type_line("value = 'changed'");
    console.until("simpledb.lua(13)>");
    console.type_line("type(_CO), coroutine.status(_CO)");
    assert!(console.until(">").starts_with("thread\t"));
    // What is stopped shows in the list of tasks, and the service goes on meanwhile.
    let mut other = subject.connect();
    let task = other.ask("task a");
    assert!(task.contains("simpledb.lua:13: in"), "{task}");
    assert!(other.ask("call a \"GET\",\"k\"").contains("1\tv"));
    console.type_line("c");
    console.until(idle);
    assert!(caller.answer().starts_with("1\tchanged\n"));

    // Into the function that the handler calls.
    console.type_line("watch 'lua'");
    console.until(idle);
    caller.type_line("call a \"get\",\"k\"");
    console.until("simpledb.lua(12)>");
    console.type_line("s");
    console.until("simpledb.lua(4)>");
    console.type_line("name");
    assert!(console.until(">").starts_with("get\t\n"));
    console.type_line("cont");
    assert_eq!(console.answer(), "<CMD OK>\n");
    assert!(caller.answer().starts_with("1\tv\n"), "leaving sets it free");
    subject.node.see("Leave debug mode");
    assert!(console.ask("call a \"get\",\"k\"").contains("1\tv"));
}

#[test]
fn a_debugger_ends_with_its_connection() {
    let mut subject = Subject::start();
    let mut console = subject.connect();
    console.type_line("debug a");
    console.until(":0000000a>");
    let mut other = subject.connect();
    let refused = other.ask("debug a");
    assert!(refused.ends_with("<CMD Error>\n"), "{refused}");
    drop(console);
    subject.node.see("Leave debug mode");
    other.type_line("debug a");
    other.until(":0000000a>");
}
