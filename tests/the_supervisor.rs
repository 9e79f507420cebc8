//! The supervisor as tests meet it: it may stand still, and somebody may take its folder away.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use itest::integration;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use support::notes::{note, wait_for};
use support::{Guests, wait_until};

#[integration(redis)]
#[ignore = "a guest"]
async fn caches(mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    let _: () = cache.set("key", 1).await?;
    Ok(())
}

#[integration(redis, timeout = "2s")]
#[ignore = "a guest"]
async fn caches_in_time(mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    let _: () = cache.set("key", 1).await?;
    Ok(())
}

#[integration(redis)]
#[ignore = "a guest"]
async fn caches_and_stays(mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    let _: () = cache.set("key", 1).await?;
    note("busy", "now");
    wait_for("end").await;
    assert_eq!(cache.get::<_, i32>("key").await?, 1);
    Ok(())
}

#[tokio::test]
async fn one_that_stands_still_is_named_and_does_not_hold_tests_for_ever() {
    let guests = Guests::new().with("ITEST_START_TIMEOUT", "7s");
    guests.pass("caches").await;
    let pid = guests.supervisors()[0];
    kill_process(pid, Signal::STOP).unwrap();
    let began = Instant::now();
    let said = guests.fail("caches_in_time").await;
    assert!(began.elapsed() < Duration::from_secs(6), "its own time-out is shorter");
    let named = format!(
        "the supervisor (pid {}) has said nothing for 2s: it stands still",
        pid.as_raw_nonzero()
    );
    assert!(said.contains(&named), "{said}");
    assert!(said.contains(&format!("kill -CONT {}", pid.as_raw_nonzero())), "{said}");

    let said = guests.fail("caches").await;
    let waiting = format!(
        "waiting for the supervisor (pid {}), which has said nothing for 5 s",
        pid.as_raw_nonzero()
    );
    assert!(said.contains(&waiting), "{said}");

    kill_process(pid, Signal::CONT).unwrap();
    guests.pass("caches_in_time").await;
    assert_eq!(guests.supervisors(), [pid]);
    guests.end_supervisors(Signal::TERM).await;
}

/// A guest that is in the middle of its test, and its supervisor.
async fn a_busy_guest(guests: &Guests) -> (tokio::process::Child, Pid) {
    let busy = guests.start("caches_and_stays");
    wait_until("the guest is busy", || {
        guests.notes("busy").is_empty().then(|| "it isn't".to_owned())
    })
    .await;
    (busy, guests.supervisors()[0])
}

async fn ends_well(guests: &Guests, busy: tokio::process::Child) {
    fs::write(guests.notebook().join("end"), "now\n").unwrap();
    let ended = Guests::end_of(busy).await;
    assert!(ended.passed, "{}", ended.said);
}

#[tokio::test]
async fn one_whose_socket_was_removed_makes_another() {
    let guests = Guests::new();
    let (busy, pid) = a_busy_guest(&guests).await;
    for home in fs::read_dir(guests.base()).unwrap().flatten() {
        let _ = fs::remove_file(home.path().join("socket"));
    }
    guests.pass("caches").await;
    assert_eq!(guests.supervisors(), [pid], "it is the same");
    ends_well(&guests, busy).await;
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn one_whose_folder_was_removed_ends_with_its_tests_and_the_next_test_starts_another() {
    let data = tempfile::tempdir().unwrap();
    fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let guests = Guests::new().with("ITEST_DATA_DIR", data.path().to_str().unwrap());
    let (busy, pid) = a_busy_guest(&guests).await;
    fs::remove_dir_all(guests.base()).unwrap();
    guests.pass("caches").await;
    let next = guests.supervisors();
    assert!(next.len() == 1 && next[0] != pid, "{next:?} came after {pid:?}");
    ends_well(&guests, busy).await;
    wait_until("the one without a folder ends", || {
        test_kill_process(pid).is_ok().then(|| format!("{pid:?} is there"))
    })
    .await;
    // Its janitor knows what isn't its own.
    guests.pass("caches").await;
    assert_eq!(guests.supervisors(), next);
    guests.end_supervisors(Signal::TERM).await;
    wait_until("all data is gone", || {
        let left = fs::read_dir(data.path()).unwrap().flatten().next();
        left.map(|left| format!("{} is left", left.path().display()))
    })
    .await;
}
