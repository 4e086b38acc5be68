//! The demonstration of the bridge between two processes, as its page names it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::redis::server::free_port;

#[test]
fn a_players_gold_moves_to_the_fishing_game_and_back() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bridge/run.sh");
    let run = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_node"))
        .env("PORT", free_port().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    for step in [
        "player 10001 has 5000 gold and 20 diamonds in the main game",
        "he enters with diamond 20, gold 5000, item.rod 1 (transfer d-",
        "he catches a fish for 250 gold and has diamond 20, gold 5250, item.rod 1",
        "he leaves with diamond 20, gold 5250, item.rod 1: moved (transfer f-",
        "in the main game he has 5250 gold and 20 diamonds",
        "open transfers: 0",
    ] {
        assert!(said.contains(step), "`{step}` is missing in:\n{said}");
    }
}
