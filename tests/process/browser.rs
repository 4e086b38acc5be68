//! The page of the shipped demonstration in a real browser, which `tests/clients/browser.py` drives.

use crate::page::{demonstration, port};
use crate::websocket::{python, run_client};

#[test]
fn the_page_talks_to_its_service_in_chromium_and_either_side_closes_cleanly() {
    let (mut node, _folder) = demonstration("127.0.0.1:0");
    let port = port(&mut node, "open http://127.0.0.1:");
    run_client(&python(), "browser.py", port);
    node.see("closed: 1000 bye");
    node.see("closed: 4001 ça suffit");
    node.see("closed: no code, no reason");
    // The page of the first case was left for another.
    node.see("closed: 1001 ");
    assert_eq!(node.count("closed: 1006"), 0, "none was lost");
}
