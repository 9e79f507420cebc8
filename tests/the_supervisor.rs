//! The supervisor as tests meet it: it may stand still, and somebody may take its folder away.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

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

#[integration(redis(dedicated, native))]
#[ignore = "a guest"]
async fn leaves_a_child_that_never_became_another_program(mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    unsafe extern "C" {
        fn fork() -> i32;
        fn close(descriptor: i32) -> i32;
        fn pause() -> i32;
    }

    let server: String = redis::cmd("INFO").arg("server").query_async(&mut cache).await?;
    let pid = server
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"))
        .unwrap();
    note("server", pid.trim());
    // SAFETY: the child does nothing but system calls.
    let child = unsafe {
        let child = fork();
        if child == 0 {
            // Whoever reads what the test writes waits for their end.
            close(1);
            close(2);
            loop {
                pause();
            }
        }
        child
    };
    note("child", child);
    // It ends without a word, as one that is killed: the child has its connection to the supervisor.
    std::process::exit(0);
}

#[tokio::test]
async fn a_lease_ends_with_its_process_whatever_that_has_forked() {
    let guests = Guests::new();
    guests.pass("leaves_a_child_that_never_became_another_program").await;
    let pid = |heading: &str| Pid::from_raw(guests.notes(heading)[0].parse().unwrap()).unwrap();
    let child = pid("child");
    assert!(test_kill_process(child).is_ok(), "the child lives");
    wait_until("the server of the lease has ended", || {
        test_kill_process(pid("server")).is_ok().then(|| "it runs".to_owned())
    })
    .await;
    kill_process(child, Signal::KILL).unwrap();
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn one_that_stands_still_is_named_and_does_not_hold_tests_for_ever() {
    let guests = Guests::new().with("ITEST_START_TIMEOUT", "8s");
    guests.pass("caches").await;
    let pid = guests.supervisors()[0];
    kill_process(pid, Signal::STOP).unwrap();
    let said = guests.fail("caches_in_time").await;
    let named = format!(
        "the supervisor (pid {}) has said nothing for 5s: it stands still",
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

#[tokio::test]
async fn one_whose_socket_was_removed_makes_another() {
    let guests = Guests::new();
    let busy = guests.start_busy("caches_and_stays").await;
    let pid = guests.supervisors()[0];
    for home in fs::read_dir(guests.base()).unwrap().flatten() {
        let _ = fs::remove_file(home.path().join("socket"));
    }
    guests.pass("caches").await;
    assert_eq!(guests.supervisors(), [pid], "it is the same");
    guests.let_end(busy).await;
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn one_whose_folder_was_removed_ends_with_its_tests_and_the_next_test_starts_another() {
    let data = tempfile::tempdir().unwrap();
    fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let guests = Guests::new().with("ITEST_DATA_DIR", data.path().to_str().unwrap());
    let busy = guests.start_busy("caches_and_stays").await;
    let pid = guests.supervisors()[0];
    fs::remove_dir_all(guests.base()).unwrap();
    guests.pass("caches").await;
    let next = guests.supervisors();
    assert!(next.len() == 1 && next[0] != pid, "{next:?} came after {pid:?}");
    guests.let_end(busy).await;
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

#[integration(postgres)]
#[ignore = "a guest"]
async fn stores(db: sqlx::PgPool) -> anyhow::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await?;
    Ok(())
}

/// The file that names the shared memory segment of the one server below a folder.
fn postmaster_files(data: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    below(data)
        .flat_map(|root| below(&root).collect::<Vec<_>>())
        .map(|server| server.join("data/postmaster.pid"))
        .filter(|file| file.is_file())
        .collect()
}

fn has_segment(id: &str) -> bool {
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    segments
        .lines()
        .any(|line| line.split_ascii_whitespace().nth(1) == Some(id))
}

// As systemd-oomd does with a whole cgroup: no janitor is left.
#[tokio::test]
async fn what_was_killed_all_at_once_leaves_no_shared_memory() {
    let data = tempfile::tempdir().unwrap();
    fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let guests = Guests::new()
        .with("ITEST_DATA_DIR", data.path().to_str().unwrap())
        .with("ITEST_POSTGRES_PROVIDER", "native");
    guests.pass("stores").await;
    let supervisor = guests.supervisors()[0];
    let files = postmaster_files(data.path());
    assert_eq!(files.len(), 1);
    let file = fs::read_to_string(&files[0]).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    let postmaster = Pid::from_raw(lines[0].parse().unwrap()).unwrap();
    let segment = lines[6].split_ascii_whitespace().nth(1).unwrap();
    assert!(has_segment(segment));
    let tasks = fs::read_dir(format!("/proc/{}/task", supervisor.as_raw_nonzero()))
        .unwrap()
        .flatten();
    let children: Vec<String> = tasks
        .map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default())
        .collect();
    let janitors = children
        .iter()
        .flat_map(|children| children.split_ascii_whitespace())
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .filter(|pid| *pid != postmaster);
    let all: Vec<Pid> = janitors.chain([postmaster, supervisor]).collect();
    assert_eq!(all.len(), 3);
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in &all {
            let _ = kill_process(*pid, signal);
        }
    }
    wait_until("all are gone", || {
        all.iter()
            .find(|pid| test_kill_process(**pid).is_ok())
            .map(|pid| format!("{pid:?} is there"))
    })
    .await;
    guests.pass("stores").await;
    wait_until("the segment is removed", || {
        has_segment(segment).then(|| "it is there".to_owned())
    })
    .await;
    guests.end_supervisors(Signal::TERM).await;
}
