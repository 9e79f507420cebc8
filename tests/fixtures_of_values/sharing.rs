//! What is dear and harmless is made once: per process, or per run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use itest::integration;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::support::notes::{note, wait_for};
use crate::support::{Guests, wait_until};

// Once per process.

static WARMED_UP: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct Model(u32);

#[itest::fixture(shared)]
async fn model(#[default(1)] size: u32) -> Model {
    // Others come meanwhile.
    tokio::time::sleep(Duration::from_millis(20)).await;
    WARMED_UP.fetch_add(size, Ordering::Relaxed);
    note("warmed up", size);
    Model(size)
}

#[itest::fixture(model)]
async fn answer(model: &Model) -> u32 {
    model.0 + 1
}

#[integration(model)]
#[ignore = "a guest"]
async fn process_one(model: &Model) {
    assert_eq!(model.0, 1);
}

#[integration(answer)]
#[ignore = "a guest"]
async fn process_two(answer: u32, model: &Model) {
    assert_eq!((answer, model.0), (2, 1));
}

#[integration(model(size = 10))]
#[ignore = "a guest"]
fn process_three(model: &Model) {
    assert_eq!(model.0, 10);
}

#[tokio::test]
async fn tests_of_one_process_share_a_value() {
    let guests = Guests::new();
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args([
        "sharing::process_",
        "--include-ignored",
        "--nocapture",
        "--test-threads",
        "3",
    ]);
    guests.prepare(&mut command);
    let ended = Guests::end_of(command.spawn().unwrap()).await;
    assert!(ended.passed && ended.said.contains("3 passed"), "{}", ended.said);
    let mut warmed_up = guests.notes("warmed up");
    warmed_up.sort();
    assert_eq!(warmed_up, ["1", "10"], "once with each options");
}

// Once per run.

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Binary {
    path: PathBuf,
    by: u32,
}

#[itest::fixture(shared = "run")]
async fn binary(#[folder] folder: &Path, #[default("release")] profile: &'static str) -> std::io::Result<Binary> {
    let path = folder.join(profile);
    note("compiled", profile);
    std::fs::write(&path, "#!/bin/sh\necho compiled\n")?;
    let by = std::process::id();
    Ok(Binary { path, by })
}

fn run(binary: &Binary) {
    let output = std::process::Command::new("sh").arg(&binary.path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "compiled\n");
    note("by", binary.by);
    note("folder", binary.path.parent().unwrap().display());
}

#[integration(binary)]
#[ignore = "a guest"]
async fn run_one(binary: &Binary) {
    run(binary);
}

#[integration(binary)]
#[ignore = "a guest"]
fn run_two(binary: Binary) {
    run(&binary);
}

#[integration(binary(profile = "debug"), postgres)]
#[ignore = "a guest"]
async fn run_three(binary: &Binary, _db: sqlx::PgPool) {
    run(binary);
}

#[tokio::test]
async fn processes_of_one_run_share_a_value_and_its_files() {
    let guests = Guests::new();
    guests
        .pass_together(&[
            "sharing::run_one",
            "sharing::run_two",
            "sharing::run_one",
            "sharing::run_two",
        ])
        .await;
    guests.pass("sharing::run_three").await;
    guests.pass("sharing::run_one").await;
    assert_eq!(guests.notes("compiled"), ["release", "debug"]);
    let mut makers = guests.notes("by");
    makers.sort();
    makers.dedup();
    assert_eq!(makers.len(), 2, "one of each: {makers:?}");
    let folder = PathBuf::from(guests.notes("folder").remove(0));
    assert!(folder.is_dir());

    guests.pass_as_a_run("sharing::run_one").await;
    assert_eq!(guests.notes("compiled").len(), 3, "another run makes its own");

    guests.end_supervisors(Signal::TERM).await;
    assert!(!folder.exists(), "nothing is left behind");
}

#[tokio::test]
async fn a_killed_supervisor_leaves_no_shared_files() {
    let guests = Guests::new();
    guests.pass("sharing::run_one").await;
    let folder = PathBuf::from(guests.notes("folder").remove(0));
    guests.end_supervisors(Signal::KILL).await;
    wait_until("the folder goes", || {
        folder.exists().then(|| folder.display().to_string())
    })
    .await;
}

// A maker that dies half-way.

#[itest::fixture(shared = "run")]
async fn slow(#[folder] folder: PathBuf) -> std::io::Result<usize> {
    let half = folder.join("half");
    let found = std::fs::read_dir(&folder)?.count();
    std::fs::write(half, "done")?;
    note("begun", std::process::id());
    if found == 0 && std::env::var_os("DIES").is_some() {
        wait_for("never").await;
    }
    Ok(found)
}

#[integration(slow)]
#[ignore = "a guest"]
async fn needs_the_slow_one(slow: usize) {
    assert_eq!(slow, 0, "the next one begins in an empty folder");
}

#[tokio::test]
async fn if_its_maker_dies_the_next_one_makes_it() {
    let mut guests = Guests::new().with("DIES", "1");
    let dies = guests.start("sharing::needs_the_slow_one");
    wait_until("it has begun", || {
        guests.notes("begun").is_empty().then(|| "not yet".to_owned())
    })
    .await;
    guests = guests.with("DIES", "");
    let pid = Pid::from_raw(guests.notes("begun")[0].parse().unwrap()).unwrap();
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "sharing::needs_the_slow_one",
        "--include-ignored",
        "--nocapture",
    ]);
    guests.prepare(&mut command);
    let waits = command.env_remove("DIES").spawn().unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let ended = Guests::end_of(waits).await;
    assert!(ended.passed, "{}", ended.said);
    assert!(!Guests::end_of(dies).await.passed);
    assert_eq!(guests.notes("begun").len(), 2);
}

// One that fails.

#[itest::fixture(shared = "run")]
async fn broken() -> Result<u8, String> {
    note("tried", "");
    Err("the compiler is missing".to_owned())
}

#[integration(broken)]
#[ignore = "a guest"]
async fn needs_the_broken_one(broken: u8) {
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn a_failure_is_told_to_all_tests_of_a_run() {
    let guests = Guests::new();
    for _ in 0..2 {
        let parts = ["the fixture `broken` failed", "the compiler is missing"];
        guests.fail_saying("sharing::needs_the_broken_one", &parts).await;
    }
    assert_eq!(guests.notes("tried").len(), 1);
}
