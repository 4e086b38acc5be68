//! The node in the background.

use std::path::Path;

use crate::support::{Folder, signal, wait_until};

#[test]
fn a_daemon_holds_its_pid_file_until_it_ends() {
    let folder = Folder::new();
    folder
        .config("daemon = './node.pid'\nlogger = './node.log'")
        .write(
            "main.lua",
            "require('skynet').start(function() require('skynet').error 'ready' end)",
        )
        // What a crashed node leaves behind does not matter.
        .write("node.pid", "1\n");
    let (code, output, errors) = folder.run();
    assert_eq!((code, output.as_str(), errors.as_str()), (Some(0), "", ""));
    let pid: u32 = folder.read("node.pid").trim().parse().unwrap();
    folder.wait_for_file("node.log", |_| folder.read("node.log").contains("ready"));

    let (code, _, errors) = folder.run();
    assert_eq!(code, Some(1));
    assert_eq!(errors, format!("node: daemon ./node.pid: it is already running, pid = {pid}\n"));

    signal(pid, "TERM");
    folder.wait_for_file("node.pid", |path| !path.exists());
    wait_until("the end of the daemon", || !is_running(pid));
    assert!(folder.read("node.log").contains("stop: 0 services save first"));
}

fn is_running(pid: u32) -> bool {
    // A process that has ended but is not collected is a zombie.
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    status.is_ok_and(|text| !text.contains(") Z "))
}

#[test]
fn a_daemon_that_cannot_start_says_so_in_the_foreground() {
    let folder = Folder::new();
    folder.config("daemon = './node.pid'\nlogger = './nosuch/node.log'");
    let (code, _, errors) = folder.run();
    assert_eq!(code, Some(1));
    assert!(errors.contains("Can't launch logger service"), "{errors}");
    assert!(!folder.path("node.pid").exists());

    let (code, _, errors) =
        folder.config("daemon = './nosuch/node.pid'\nlogger = './node.log'").run();
    assert_eq!(code, Some(1));
    let expected = "node: daemon ./nosuch/node.pid: cannot open the pid file: No such file or directory (os error 2)\n";
    assert_eq!(errors, expected);
}
