//! A test binary that asks for no service needs no supervisor: nothing is started, and nothing is written.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use itest::integration;

#[integration(timeout = "20s")]
async fn the_runtime_has_timers() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[integration(timeout = "20s")]
fn a_blocking_test() {
    assert!(tokio::runtime::Handle::try_current().is_ok());
}

#[test]
fn no_supervisor_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("never-made");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["--exact", "the_runtime_has_timers"])
        .env("ITEST_DIR", &dir)
        .env_remove("NEXTEST_TEST_NAME");
    let output = child.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert!(!Path::new(&dir).exists());
}
