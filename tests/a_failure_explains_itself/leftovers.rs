//! What a supervisor leaves that was killed together with its janitor: the next run works, and cleans up.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::own::{Own, send};

#[test]
fn a_damaged_state_does_no_harm() {
    let own = Own::new();
    own.fault("wants_redis").passes();
    let homes = own.homes();
    let [home] = &homes[..] else {
        panic!("there is one supervisor: {homes:?}")
    };
    kill(home);

    fs::write(home.join("state.json"), "{ this is no JSON").expect("written");
    fs::remove_file(home.join("socket")).expect("it was there");
    fs::create_dir(home.join("socket")).expect("created");
    // The home of somebody of whom nothing else is known.
    let stranger = own.dir().join("00000000dead");
    fs::create_dir_all(stranger.join("socket")).expect("created");
    fs::write(stranger.join("state.json"), [0xff, 0x00]).expect("written");
    fs::write(own.dir().join("00000000dead.lock"), "").expect("written");

    own.fault("wants_redis").passes();
    assert!(!stranger.exists() && !own.dir().join("00000000dead.lock").exists());
    assert_eq!(own.homes().len(), 1);
}

#[test]
fn a_file_in_the_place_of_a_home() {
    let own = Own::new();
    own.fault("wants_redis").passes();
    let home = own.homes().remove(0);
    kill(&home);
    fs::remove_dir_all(&home).expect("it was there");
    fs::write(&home, "").expect("written");
    // Who removes the state removes the only trace of the servers' data in a folder of one's own choice.
    fs::remove_dir_all(own.data()).expect("it was there");
    let said = own.fault("wants_redis").fails();
    said.says(&[
        &home.display().to_string(),
        "hint: remove what lies there, or set ITEST_DIR to another folder",
    ]);
}

/// The janitor first: it would clean up.
fn kill(home: &Path) {
    let supervisor = Own::supervisor(home).expect("it wrote its state");
    for janitor in janitors(home) {
        send("KILL", janitor);
    }
    send("KILL", supervisor);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{supervisor}/exe")).exists() || !janitors(home).is_empty() {
        assert!(
            Instant::now() < deadline,
            "the supervisor {supervisor} or its janitor survives SIGKILL"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn janitors(home: &Path) -> Vec<u64> {
    let home = home.display().to_string();
    let processes = fs::read_dir("/proc").expect("these tests run on Linux").flatten();
    processes
        .filter_map(|process| {
            let pid: u64 = process.file_name().to_str()?.parse().ok()?;
            let line = fs::read(process.path().join("cmdline")).ok()?;
            let args: Vec<_> = line.split(|byte| *byte == 0).collect();
            (args.contains(&&b"itest-janitor"[..]) && args.contains(&home.as_bytes())).then_some(pid)
        })
        .collect()
}
