//! The script as Redis runs it, beside what the model takes it to do: random steps, equal answers, equal tables.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::bridge::SCRIPT;
use node::bridge::record::{Mode, Record};
use node::bridge::step::{Purse, Reply, Step};

use crate::port::free_port;
use crate::resp::{Client, Value};
use crate::store::{Store, Weakness};

/// A server without a file, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn server() -> (Server, Client) {
    let port = free_port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (tests/setup.sh)");
    let (server, start) = (Server(child), Instant::now());
    loop {
        if let Ok(mut client) = Client::connect(port)
            && client.ask(&["PING"]).is_ok()
        {
            return (server, client);
        }
        assert!(start.elapsed() < Duration::from_secs(10), "redis-server does not come up");
    }
}

/// A generator that gives the same for the same seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % bound).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn random_step(dice: &mut Dice, me: &str, purse: Purse) -> Step {
    let giver = dice.pick(&["f", "d"]);
    let id = format!("{giver}-{}", dice.below(3));
    let record = |dice: &mut Dice, by: &str| Record {
        at: 7,
        giver: bytes(by),
        command: bytes("req_mv_gold"),
        mode: if dice.below(2) == 0 { Mode::Pull } else { Mode::Push },
        session: bytes(dice.pick(&["1", "2", "3|", "4"])),
        pairs: vec![(bytes("gold"), bytes(dice.pick(&["1", "5"])))],
    };
    let member = bytes(dice.pick(&["", "m@a=1", "m@a=2"]));
    let operation = dice.pick(&[
        "offer", "offer", "taken", "accept", "accept", "close", "close", "store", "return", "adopt",
    ]);
    let (id, arguments) = match operation {
        "offer" => {
            let mut arguments = vec![record(dice, me).head()];
            for name in ["gold", "item.1"] {
                if dice.below(3) > 0 {
                    arguments.push(bytes(name));
                    arguments.push(bytes(dice.pick(&["0", "3", "700"])));
                }
            }
            (format!("{me}-{}", dice.below(3)), arguments)
        }
        "taken" if dice.below(3) == 0 => (id, Vec::new()),
        "taken" => (id, vec![bytes("gold"), bytes("4")]),
        "store" => {
            (id, vec![bytes(dice.pick(&["m@a=1", "m@a=2"])), bytes(dice.pick(&["", "", "plain"]))])
        }
        "close" if dice.below(4) == 0 => (id, vec![bytes("plain")]),
        "close" => (id, Vec::new()),
        "adopt" => {
            let other = if me == "f" { "d" } else { "f" };
            // A session of its own: among several of one session any may be found.
            let record = Record { session: bytes("9"), ..record(dice, other) };
            (format!("{me}-plain{}", dice.below(2)), vec![member, record.text()])
        }
        _ => (id, vec![member]),
    };
    Step {
        operation: Box::leak(operation.to_owned().into_boxed_str()),
        id: bytes(&id),
        purse,
        arguments,
    }
}

fn run(client: &mut Client, me: &str, epoch: &str, step: &Step) -> Reply {
    let id = String::from_utf8(step.id.clone()).unwrap();
    // The stored members are those of the giver.
    let giver = match step.operation {
        "adopt" => {
            if me == "f" {
                "d"
            } else {
                "f"
            }
        }
        _ => &id[..1],
    };
    let fence = format!("bridge:fence:{me}:x:1");
    let wallet = format!("bridge:wallet:{me}:u");
    let members = format!("{giver}_u");
    let mut parts: Vec<&[u8]> = vec![b"EVAL", SCRIPT.as_bytes(), b"5", fence.as_bytes()];
    parts.extend([&b"bridge:open:d:f:u"[..], b"bridge:players:d:f", wallet.as_bytes()]);
    parts.extend([members.as_bytes(), epoch.as_bytes(), step.operation.as_bytes(), me.as_bytes()]);
    parts.extend([&b"u"[..], &step.id, step.purse.as_text().as_bytes()]);
    parts.extend(step.arguments.iter().map(|argument| &argument[..]));
    match client.ask(&parts).unwrap() {
        Value::List(values) => {
            let mut texts = values.iter().map(|value| value.text().into_bytes());
            Reply { word: texts.next().unwrap(), rest: texts.collect() }
        }
        other => panic!("{step:?}: {other:?}"),
    }
}

fn map(client: &mut Client, key: &str) -> BTreeMap<String, String> {
    let flat = client.ask(&["HGETALL", key]).unwrap().list();
    flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn compare(client: &mut Client, store: &Store) {
    let open: BTreeMap<String, String> = store
        .open
        .iter()
        .map(|(id, (state, record))| {
            let text = String::from_utf8(record.text()).unwrap();
            (String::from_utf8(id.clone()).unwrap(), format!("{}@{text}", state.name()))
        })
        .collect();
    assert_eq!(map(client, "bridge:open:d:f:u"), open);
    let players = client.ask(&["SMEMBERS", "bridge:players:d:f"]).unwrap().list();
    assert_eq!(players.len(), usize::from(!open.is_empty()));
    for system in ["f", "d"] {
        let wallet = store.wallets.get(system.as_bytes()).cloned().unwrap_or_default();
        for (name, amount) in map(client, &format!("bridge:wallet:{system}:u")) {
            assert_eq!(wallet.get(name.as_bytes()).copied().unwrap_or(0).to_string(), amount);
        }
        let mut members = client.ask(&["SMEMBERS", &format!("{system}_u")]).unwrap().list();
        members.sort();
        let expected = store.members.get(system.as_bytes()).cloned().unwrap_or_default();
        let expected: Vec<_> =
            expected.into_iter().map(|member| String::from_utf8(member).unwrap()).collect();
        assert_eq!(members, expected);
    }
}

#[test]
fn the_script_does_what_the_model_takes_it_to_do() {
    let (_server, mut client) = server();
    for seed in 0..60 {
        let mut dice = Dice(seed);
        client.ask(&["FLUSHALL"]).unwrap();
        let mut store = Store::new(Weakness::None);
        let purses = [0, 1].map(|_| [Purse::Shared, Purse::Own][dice.below(2)]);
        for (me, purse) in ["f", "d"].iter().zip(purses) {
            store.epochs.insert(bytes(me), 1);
            client.ask(&["INCR", &format!("bridge:fence:{me}:x:1")]).unwrap();
            if purse == Purse::Shared {
                let wallet = store.wallets.entry(bytes(me)).or_default();
                for (name, amount) in [("gold", 20), ("item.1", 700)] {
                    wallet.insert(bytes(name), amount);
                    let key = format!("bridge:wallet:{me}:u");
                    client.ask(&["HSET", &key, name, &amount.to_string()]).unwrap();
                }
            }
        }
        for _ in 0..120 {
            let side = dice.below(2);
            let me = ["f", "d"][side];
            let step = random_step(&mut dice, me, purses[side]);
            let epoch = if dice.below(20) == 0 { 0 } else { 1 };
            let expected = store.run(me.as_bytes(), epoch, &step);
            let found = run(&mut client, me, &epoch.to_string(), &step);
            assert_eq!(found, expected, "seed {seed}, {step:?}");
        }
        compare(&mut client, &store);
    }
}

#[test]
fn the_page_prints_the_script_as_it_is() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bridge.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&format!("```lua\n{SCRIPT}```\n")), "docs/bridge.md has another script");
}
