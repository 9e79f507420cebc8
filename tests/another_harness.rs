//! Under a harness that can't be told which test to run, the supervisor lives in the test's own process: the tests pass, and
//! nothing is left when that process ends, however it does.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long what a dead process leaves may stay.
const GOES: Duration = Duration::from_secs(20);

#[test]
fn its_tests_pass_and_leave_nothing() {
    let folder = folder();
    let output = stubborn(folder.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(output.stdout, b"both passed\n");
    assert_eq!(
        said.matches("this test harness can't run the supervisor").count(),
        1,
        "{said}"
    );
    assert!(
        !said.contains("INFO"),
        "the supervisor's log has a file of its own:\n{said}"
    );
    is_left_clean(folder.path());
}

#[test]
fn it_still_ends_by_a_signal_and_leaves_nothing() {
    for signal in ["INT", "TERM", "KILL"] {
        if !ends_a_process(signal) {
            eprintln!("skipped: SIG{signal} is ignored here, as it is in what a shell starts in the background");
            continue;
        }
        let folder = folder();
        let mut child = stubborn(folder.path())
            .env("WAIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        wait_for_tests(&mut child);
        assert!(
            fs::read_dir(folder.path().join("data"))
                .expect("it is ours")
                .next()
                .is_some()
        );
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        let deadline = Instant::now() + GOES;
        while child.try_wait().expect("it is our child").is_none() {
            assert!(Instant::now() < deadline, "SIG{signal} does not end it");
            std::thread::sleep(Duration::from_millis(5));
        }
        is_left_clean(folder.path());
    }
}

#[test]
fn an_engine_behind_ssh_is_refused_with_the_remedy() {
    let folder = folder();
    let mut command = stubborn(folder.path());
    command
        .env("ITEST_PROVIDER", "docker")
        .env("DOCKER_HOST", "ssh://engine.example.com");
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for part in [
        "the engine at ssh://engine.example.com",
        "a test harness that supports `--exact`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    is_left_clean(folder.path());
}

/// Its tests have run when it says so.
fn wait_for_tests(child: &mut Child) {
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.as_mut().expect("it is piped"));
    stdout.read_line(&mut line).expect("it is text");
    if line.is_empty() {
        let mut said = String::new();
        let stderr = child.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut said).expect("it is text");
        panic!("its tests failed:\n{said}");
    }
    assert_eq!(line, "both passed\n");
}

/// Children inherit that a signal is ignored.
fn ends_a_process(signal: &str) -> bool {
    let status = Command::new("sh").args(["-c", &format!("kill -{signal} $$")]).status();
    status.expect("sh runs").signal().is_some()
}

/// With folders for sockets and data in it.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("own").tempdir().expect("a folder");
    // Where the tests run as root, the servers' user must get through to their data.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir(folder.path().join("data")).expect("it is ours");
    folder
}

fn is_left_clean(folder: &Path) {
    let left = || -> Vec<PathBuf> {
        ["dir", "data"]
            .iter()
            .filter_map(|name| fs::read_dir(folder.join(name)).ok())
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    };
    let deadline = Instant::now() + GOES;
    while !left().is_empty() {
        assert!(Instant::now() < deadline, "it left {:?}", left());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn stubborn(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ITEST_") || text.starts_with("NEXTEST") {
            command.env_remove(&name);
        }
    }
    command
        .env(
            "CARGO_MANIFEST_DIR",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness"),
        )
        .env("ITEST_DIR", folder.join("dir"))
        .env("ITEST_DATA_DIR", folder.join("data"))
        .env("ITEST_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .stdin(Stdio::null());
    command
}

/// It isn't built with the other tests, so cargo is asked for it.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| fleet_driver::test_binary("stubborn"))
}
