//! The append-only file: what is in it, what comes back, also after a crash, and that a genuine
//! Redis takes it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::store::{Clock, Config, Fsync};

use super::support::{Connection, DEADLINE, Embedded, Folder, Genuine, Redis};

/// Fills a store with something of everything, in several databases.
const FILLING: &[&str] = &[
    "set text hello",
    "append text -world",
    "set number 41",
    "incr number",
    "incrbyfloat float 0.1",
    "incrbyfloat float 0.2",
    "set ending 1 ex 1000",
    "setex ending2 500 x",
    "getex text ex 2000",
    "expire number 3000",
    "persist number",
    "rpush list a b c d",
    "lpop list",
    "lmove list other left right",
    "hset hash f 1 g 2",
    "hincrby hash f 10",
    "hincrbyfloat hash f 0.5",
    "sadd set a b c",
    "sadd numbers 3 1 2",
    "srem set a",
    "sunionstore both set numbers",
    "zadd sorted 1 a 2.5 b inf c",
    "zincrby sorted 0.1 a",
    "zunionstore sum 2 sorted numbers weights 2 1",
    "setbit bits 100 1",
    "bitfield bits incrby u8 8 200",
    "getdel gone",
    "set gone 1",
    "getdel gone",
    "rename other renamed",
    "copy list copied",
    "copy list elsewhere db 3",
    "select 2",
    "set in2 x",
    "move in2 4",
    "set in2 y px 100000",
    "swapdb 2 5",
    "select 0",
    "rpush nums 3 1 2",
    "sort nums store sorted-list",
    "eval redis.call('set','by-script',1)redis.call('rpush','by-script-list','x','y') 0",
    "mset m1 1 m2 2",
    "msetnx m3 3",
    "setrange padded 5 x",
    "linsert list before c new",
    "lrem list 1 b",
    "ltrim list 0 5",
    "spop numbers",
    "spop set 1",
    "zpopmin sum",
    "zrangestore range sorted 0 -1",
    "zremrangebyrank range 0 0",
];

fn fill(connection: &mut Connection) {
    for line in FILLING {
        let reply = connection.say(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    for line in ["multi", "set tx 1", "incr tx", "lpush tx-list a", "select 7", "set tx7 1"] {
        connection.say(line);
    }
    assert!(connection.say("exec").starts_with("*5\r\n"));
    connection.say("select 0");
}

/// Everything there is, as text, in one order.
fn everything(connection: &mut Connection) -> Vec<String> {
    let mut all = Vec::new();
    for db in 0..16 {
        connection.say(&format!("select {db}"));
        let mut keys: Vec<String> = words(&connection.say("keys *"));
        keys.sort();
        for key in keys {
            let kind = connection.say(&format!("type {key}"));
            let content = match kind.trim() {
                "+string" => connection.say(&format!("get {key}")),
                "+list" => connection.say(&format!("lrange {key} 0 -1")),
                "+hash" => sorted(words(&connection.say(&format!("hgetall {key}"))), 2),
                "+set" => sorted(words(&connection.say(&format!("smembers {key}"))), 1),
                "+zset" => connection.say(&format!("zrange {key} 0 -1 withscores")),
                other => panic!("{key} is a {other}"),
            };
            let end = connection.say(&format!("pexpiretime {key}"));
            all.push(format!("{db} {key} {} {content} {end}", kind.trim()));
        }
    }
    connection.say("select 0");
    all
}

/// The strings of an array without line ends in them.
fn words(reply: &str) -> Vec<String> {
    reply.split("\r\n").skip(2).step_by(2).map(str::to_owned).filter(|w| !w.is_empty()).collect()
}

fn sorted(words: Vec<String>, width: usize) -> String {
    let mut groups: Vec<String> = words.chunks(width).map(|group| group.join("=")).collect();
    groups.sort();
    groups.join(",")
}

#[test]
fn what_was_in_the_store_is_there_after_a_restart() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let store = Embedded::with_file(&path, Clock::System);
    fill(&mut store.connect());
    let before = everything(&mut store.connect());
    assert!(before.len() > 25, "{before:#?}");
    drop(store);
    let store = Embedded::with_file(&path, Clock::System);
    assert_eq!(everything(&mut store.connect()), before);
    // Also after the file was rewritten, and once more.
    let size = fs::metadata(&path).unwrap().len();
    let mut connection = store.connect();
    assert!(connection.say("bgrewriteaof").starts_with("+Background"));
    assert!(fs::metadata(&path).unwrap().len() < size);
    connection.say("set after-rewrite 1");
    drop((connection, store));
    let store = Embedded::with_file(&path, Clock::System);
    let mut connection = store.connect();
    assert_eq!(connection.say("del after-rewrite"), ":1\r\n");
    assert_eq!(everything(&mut connection), before);
}

#[test]
fn a_genuine_redis_takes_the_file_through_a_pipe() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let store = Embedded::with_file(&path, Clock::System);
    let mut connection = store.connect();
    fill(&mut connection);
    for rewritten in [false, true] {
        if rewritten {
            connection.say("bgrewriteaof");
        }
        let redis = Genuine::start();
        let piped = Command::new("redis-cli")
            .arg("-s")
            .arg(redis.socket())
            .arg("--pipe")
            .stdin(fs::File::open(&path).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&piped.stdout).into_owned();
        assert!(piped.status.success() && text.contains("errors: 0"), "{text}");
        assert_eq!(everything(&mut redis.connect()), everything(&mut connection));
    }
}

/// Some commands in a new file; gives the file's bytes and the length of each command in it.
fn small_file(path: &Path) -> Vec<u8> {
    let store = Embedded::with_file(path, Clock::System);
    let mut connection = store.connect();
    for line in ["set a 1", "incr a", "multi", "incr a", "set b 1", "exec", "rpush l x y"] {
        connection.say(line);
    }
    drop((connection, store));
    fs::read(path).unwrap()
}

#[test]
fn a_torn_end_is_cut_off_at_every_byte() {
    let folder = Folder::new();
    let bytes = small_file(&folder.path("whole.aof"));
    let text = String::from_utf8(bytes.clone()).unwrap();
    // Where something whole ends: SELECT, SET, INCR, the transaction, RPUSH.
    let mut ends = vec![0];
    let starts: Vec<usize> = text.match_indices('*').map(|(at, _)| at).collect();
    ends.extend(starts.iter().skip(1).copied().filter(|at| {
        let (multi, exec) = (text.find("MULTI").unwrap(), text.find("EXEC").unwrap());
        *at < multi || *at > exec
    }));
    ends.push(bytes.len());
    let path = folder.path("torn.aof");
    for length in (0..bytes.len()).filter(|length| length % 3 == 0 || ends.contains(length)) {
        fs::write(&path, &bytes[..length]).unwrap();
        let store = Embedded::with_file(&path, Clock::System);
        let whole = ends.iter().copied().filter(|end| *end <= length).max().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), whole as u64, "of {length} bytes");
        let cut = format!("its last {} bytes are no whole command", length - whole);
        let told = store.lines.lock().unwrap().iter().any(|line| line.contains(&cut));
        assert_eq!(told, whole < length, "of {length} bytes");
        // What comes next goes behind what is whole.
        let mut connection = store.connect();
        connection.say("set next 1");
        let a = connection.say("get a");
        drop((connection, store));
        let store = Embedded::with_file(&path, Clock::System);
        let mut connection = store.connect();
        assert_eq!(
            (connection.say("get a"), connection.say("get next")),
            (a, "$1\r\n1\r\n".into())
        );
    }
}

#[test]
fn a_file_that_is_something_else_stops_the_start() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let mut broken = small_file(&path);
    let at = broken.windows(4).position(|word| word == b"incr").unwrap();
    broken[at - 4] = b'!';
    for (bytes, expected) in [
        (broken, "no command of an append-only file"),
        (b"REDIS0010 is a snapshot".to_vec(), "byte 0: no command of an append-only file"),
        (b"*1\r\n$4\r\nnope\r\n".to_vec(), "byte 0: ERR unknown command 'nope'"),
        (b"*2\r\n$3\r\nset\r\n$1\r\na\r\n".to_vec(), "byte 0: ERR wrong number of arguments"),
        (b"*3\r\n$5\r\nblpop\r\n$1\r\na\r\n$1\r\n0\r\n".to_vec(), "does not belong into a file"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let config = Config { file: Some(path.clone()), ..Config::default() };
        let error = Embedded::try_start(config, Clock::System).err().unwrap();
        let named = error.contains("data.aof") && error.contains(expected);
        assert!(
            named || expected.starts_with("no command") && error.contains("expected"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes, "the file is left as it was");
    }
}

#[test]
fn ends_are_written_in_absolute_time() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let clock = Clock::manual(1_000_000);
    let store = Embedded::with_file(&path, clock.clone());
    let mut connection = store.connect();
    connection.say("set short 1 px 100");
    connection.say("set long 1 ex 100");
    connection.say("set extended 1 px 100");
    connection.say("pexpire extended 100000");
    clock.advance(Duration::from_millis(150));
    assert_eq!(connection.say("incr short"), ":1\r\n");
    drop((connection, store));
    // A minute later, as after a restart: what has ended meanwhile is gone.
    clock.advance(Duration::from_secs(60));
    let store = Embedded::with_file(&path, clock.clone());
    let mut connection = store.connect();
    assert_eq!(connection.say("get short"), "$1\r\n1\r\n");
    assert_eq!(connection.say("ttl short"), ":-1\r\n");
    assert_eq!(connection.say("pttl long"), ":39850\r\n");
    assert_eq!(connection.say("pttl extended"), ":39850\r\n");
    drop((connection, store));
    clock.advance(Duration::from_secs(60));
    let store = Embedded::with_file(&path, clock);
    assert_eq!(store.connect().say("exists long extended short"), ":1\r\n");
}

#[test]
fn what_a_script_or_a_transaction_changes_is_one_in_the_file() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let store = Embedded::with_file(&path, Clock::System);
    let mut connection = store.connect();
    let script = "redis.call('set','a',1) redis.call('incr','a') return redis.call('get','a')";
    assert_eq!(connection.ask(&["eval", script, "0"]), b"$1\r\n2\r\n");
    let file = fs::read_to_string(&path).unwrap().replace("\r\n", " ");
    assert_eq!(
        file,
        "*1 $5 MULTI *2 $6 SELECT $1 0 *3 $3 SET $1 a $1 1 *2 $4 incr $1 a *1 $4 EXEC "
    );
    // Reading and failing leave nothing behind.
    for line in ["get a", "lpush a 1", "del nokey", "expire nokey 1", "setnx a 5", "hdel h f"] {
        connection.say(line);
    }
    assert_eq!(fs::read_to_string(&path).unwrap().replace("\r\n", " "), file);
    // Whoever waited is served by a command of its own.
    let mut waiting = store.connect();
    waiting.send(&["blpop", "queue", "0"]);
    let until = Instant::now() + DEADLINE;
    while !connection.say("info clients").contains("blocked_clients:1\r\n") {
        assert!(Instant::now() < until, "nobody waits");
    }
    connection.say("rpush queue x");
    assert_eq!(waiting.reply(), b"*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
    let more = fs::read_to_string(&path).unwrap().replace("\r\n", " ");
    assert_eq!(
        more[file.len()..],
        *"*1 $5 MULTI *3 $5 rpush $5 queue $1 x *2 $4 LPOP $5 queue *1 $4 EXEC "
    );
}

#[test]
fn the_file_is_rewritten_when_it_has_doubled() {
    let folder = Folder::new();
    let path = folder.path("data.aof");
    let config = Config { file: Some(path.clone()), rewrite_size: 10_000, ..Config::default() };
    let store = Embedded::start(config, Clock::System);
    let mut connection = store.connect();
    let mut largest = 0;
    for number in 0..5000 {
        connection.say(&format!("set key{} {number}", number % 10));
        largest = largest.max(fs::metadata(&path).unwrap().len());
    }
    assert!((5_000..20_000).contains(&largest), "{largest} bytes");
    drop((connection, store));
    let store = Embedded::with_file(&path, Clock::System);
    assert_eq!(store.connect().say("get key9"), "$4\r\n4999\r\n");
}

/// A node with an embedded store, in a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(folder: &Folder) -> Self {
        Self::start_as(folder, "always", Command::new(env!("CARGO_BIN_EXE_node")))
    }

    /// One whose files take 8 KiB, as if the disk were full then.
    fn start_limited(folder: &Folder, fsync: &str) -> Self {
        let mut command = Command::new("bash");
        let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
        command.args(["-c", limited, env!("CARGO_BIN_EXE_node")]);
        Self::start_as(folder, fsync, command)
    }

    fn start_as(folder: &Folder, fsync: &str, mut command: Command) -> Self {
        let script = "local skynet = require 'skynet'\n\
                      skynet.start(function() print('redis at ' .. skynet.getenv 'redis_address') end)";
        fs::write(folder.path("main.lua"), script).unwrap();
        let config = format!(
            "thread = 2\nharbor = 0\nluaservice = './?.lua'\nredis = 'embedded:0'\n\
             redis_file = './data.aof'\nredis_fsync = '{fsync}'\n"
        );
        fs::write(folder.path("config"), config).unwrap();
        let mut child = command
            .arg("config")
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The log is written by another service than what scripts print: the lines have no order.
        let (mut told, mut address) = (false, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            told |= line.contains("an embedded store serves at 127.0.0.1:");
            address = address.or_else(|| line.strip_prefix("redis at ").map(str::to_owned));
            if told && address.is_some() {
                break;
            }
        }
        assert!(told, "the log says that an embedded store is used");
        let address = address.unwrap();
        Self { child, address }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_process_is_killed() {
    let folder = Folder::new();
    let mut counted = 0;
    for round in 0..3 {
        let mut process = Process::start(&folder);
        let mut connection = process.connect();
        let expected = if round == 0 { "$-1\r\n".to_owned() } else { counted.to_string() };
        let found = connection.say("get counter");
        assert!(found.contains(&expected), "round {round}: {found}, {counted} answered");
        for _ in 0..200 {
            counted += 1;
            assert_eq!(connection.say("incr counter"), format!(":{counted}\r\n"));
        }
        process.kill();
    }
}

const REFUSED: &str = "-MISCONF Errors writing to the AOF file: File too large";

#[test]
fn with_always_a_full_disk_leaves_no_change_answered_that_is_not_in_the_file() {
    let folder = Folder::new();
    let mut process = Process::start_limited(&folder, "always");
    let mut connection = process.connect();
    let answered = (1..1000).take_while(|_| !connection.say("incr counter").is_empty()).count();
    assert!(answered > 100, "{answered} answered");
    let mut connection = process.connect();
    for line in ["incr counter", "del counter", "eval return(redis.call('incr','counter')) 0"] {
        let reply = connection.say(line);
        assert!(reply.starts_with(REFUSED), "{line}: {reply}");
    }
    assert!(connection.say("get counter").starts_with('$'));
    process.kill();
    let found = Process::start(&folder).connect().say("get counter");
    assert!(found.contains(&format!("\r\n{answered}\r\n")), "{found}, {answered} answered");
}

#[test]
fn a_full_disk_that_has_room_for_a_rewritten_file_takes_changes_again_each_once() {
    let folder = Folder::new();
    let mut process = Process::start_limited(&folder, "everysec");
    let mut connection = process.connect();
    let answered =
        (1..1000).take_while(|_| connection.say("incr counter").starts_with(':')).count();
    assert!(connection.say("incr counter").starts_with(REFUSED));
    assert!(connection.say("bgrewriteaof").starts_with('+'));
    let next = answered + 1;
    assert_eq!(connection.say("incr counter"), format!(":{next}\r\n"));
    process.kill();
    let found = Process::start(&folder).connect().say("get counter");
    assert!(found.contains(&format!("\r\n{next}\r\n")), "{found}, {next} answered");
}

#[test]
fn always_and_everysec_are_settings() {
    let folder = Folder::new();
    let file = Some(folder.path("data.aof"));
    let config = Config { file, fsync: Fsync::Always, ..Config::default() };
    let store = Embedded::start(config, Clock::System);
    let mut connection = store.connect();
    let shown = "*2\r\n$11\r\nappendfsync\r\n";
    assert_eq!(connection.say("config get appendfsync"), format!("{shown}$6\r\nalways\r\n"));
    connection.say("set a 1");
    connection.say("config set appendfsync everysec");
    assert_eq!(connection.say("config get appendfsync"), format!("{shown}$8\r\neverysec\r\n"));
    connection.say("set a 2");
    drop((connection, store));
    let store = Embedded::with_file(&folder.path("data.aof"), Clock::System);
    assert_eq!(store.connect().say("get a"), "$1\r\n2\r\n");
}
