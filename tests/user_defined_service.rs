//! A service that the user defined is used just like a built-in one. The service itself is `tests/memcached`; one with templates
//! is `tests/keyspace`.

mod keyspace;
mod memcached;
mod namesake;
#[path = "user_defined_service/ports.rs"]
mod ports;
mod support;
#[path = "user_defined_service/templates.rs"]
mod templates;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use itest::service::Service;
use itest::{Url, integration};
use memcached::{Client, Memcached, memcached};
use namesake::{Namesake, Said, namesake};
use rustix::process::Signal;
use sqlx::PgPool;
use support::Guests;
use support::notes::note;
use tokio::process::Command;

#[integration(memcached(megabytes = 16), postgres)]
#[needs::memcached]
async fn a_value_is_cached_next_to_a_database(mut cache: Client, db: PgPool) -> anyhow::Result<()> {
    let answer: i32 = sqlx::query_scalar("SELECT 42").fetch_one(&db).await?;
    assert_eq!(cache.get("answer").await?, None);
    cache.set("answer", &answer.to_string()).await?;
    assert_eq!(cache.get("answer").await?.as_deref(), Some("42"));
    Ok(())
}

#[integration(here = memcached, there = memcached, alone = memcached(dedicated))]
#[needs::memcached]
async fn nobody_sees_anothers_keys(here: &mut Client, there: &mut Client, alone: &mut Client) -> anyhow::Result<()> {
    here.set("k", "here").await?;
    assert_eq!(there.get("k").await?, None);
    assert_eq!(alone.get("k").await?, None);
    assert_eq!(here.stat("pid").await?, there.stat("pid").await?, "one server for both");
    assert_ne!(
        here.stat("pid").await?,
        alone.stat("pid").await?,
        "and one for the third alone"
    );
    Ok(())
}

#[integration(memcached(megabytes = 16))]
#[needs::memcached]
async fn the_builders_options_reach_the_server(cache: &mut Client, url: Url<Memcached>) -> anyhow::Result<()> {
    assert_eq!(cache.stat("limit_maxbytes").await?, (16 << 20).to_string());
    let start = "memcache://127.0.0.1:";
    let end = "/the_builders_options_reach_the_server%23";
    assert!(url.as_str().starts_with(start) && url.as_str().contains(end), "{url}");
    Ok(())
}

#[tokio::test]
#[needs::memcached]
async fn all_processes_share_one_server_which_goes_with_its_supervisor() {
    let guests = Guests::new();
    guests
        .pass_together(&["tells_its_server", "tells_its_server", "tells_its_server"])
        .await;
    guests.pass("tells_its_server").await;
    let servers = guests.notes("server");
    assert_eq!(servers.len(), 4);
    assert!(servers.iter().all(|server| *server == servers[0]), "{servers:?}");
    assert_eq!(
        guests.supervisors().len(),
        2,
        "the user's service has a supervisor of its own"
    );
    guests.end_supervisors(Signal::TERM).await;
    let process = format!("/proc/{}", servers[0]);
    support::wait_until("the server ends", || {
        fs::exists(&process).unwrap().then(|| format!("{process} is there"))
    })
    .await;
}

#[integration(memcached, postgres)]
#[ignore = "a guest"]
async fn tells_its_server(cache: &mut Client) -> anyhow::Result<()> {
    note("server", cache.stat("pid").await?);
    assert_eq!(cache.get("left").await?, None);
    cache.set("left", "by another").await?;
    Ok(())
}

#[tokio::test]
#[needs::memcached]
async fn its_program_is_found_where_a_variable_says() {
    // Otherwise the message tells of containers first.
    let native = || Guests::new().with("ITEST_MEMCACHED_PROVIDER", "native");
    let nowhere = native().with("ITEST_MEMCACHED_BIN", "/nowhere");
    let said = nowhere.fail("tells_its_server").await;
    for part in [
        "`memcached` was found",
        "/nowhere is not there",
        "apt-get install memcached",
        "ITEST_MEMCACHED_BIN",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    nowhere.end_supervisors(Signal::TERM).await;

    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("memcached");
    // With an option that shows in the server's statistics.
    fs::write(&program, "#!/bin/sh\nexec memcached --conn-limit=77 \"$@\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let here = native().with("ITEST_MEMCACHED_BIN", folder.path().to_str().unwrap());
    here.pass("tells_its_connection_limit").await;
    assert_eq!(here.notes("limit"), ["77"]);
    here.end_supervisors(Signal::TERM).await;
}

#[integration(memcached)]
#[ignore = "a guest"]
async fn tells_its_connection_limit(cache: &mut Client) -> anyhow::Result<()> {
    note("limit", cache.stat("max_connections").await?);
    Ok(())
}

// A server that someone else runs: here the dedicated one of this test.
#[integration(memcached(dedicated))]
#[needs::memcached]
async fn it_may_be_external(cache: &mut Client, url: Url<Memcached>) -> anyhow::Result<()> {
    let guests = Guests::new()
        .with("ITEST_MEMCACHED_PROVIDER", "external")
        .with("ITEST_MEMCACHED_URL", url.as_str());
    guests.pass_together(&["tells_its_server", "tells_its_server"]).await;
    let pid = cache.stat("pid").await?;
    assert_eq!(guests.notes("server"), [pid.clone(), pid]);
    guests.end_supervisors(Signal::TERM).await;
    assert!(cache.version().await?.starts_with("VERSION"), "it is still running");
    Ok(())
}

/// This test binary as it is after a change of the service with that code: another stamp, and whatever else is `changed`.
fn built_after_a_change(code: &str, changed: &[(&str, &str)], folder: &Path) -> PathBuf {
    let stamp = code.rsplit(' ').next().unwrap();
    let other: String = stamp
        .chars()
        .map(|digit| if digit == '0' { '1' } else { '0' })
        .collect();
    let mut binary = fs::read(std::env::current_exe().unwrap()).unwrap();
    for (old, new) in changed.iter().copied().chain([(stamp, other.as_str())]) {
        let places: Vec<usize> = binary
            .windows(old.len())
            .enumerate()
            .filter(|(_, text)| *text == old.as_bytes())
            .map(|(place, _)| place)
            .collect();
        assert!(!places.is_empty(), "{old} is in the binary");
        for place in places {
            binary[place..place + old.len()].copy_from_slice(new.as_bytes());
        }
    }
    let path = folder.join("another_test");
    fs::write(&path, binary).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs a guest of that binary.
async fn pass_in(binary: &Path, test: &str, guests: &Guests) {
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--include-ignored"]);
    guests.prepare(&mut command);
    let ended = Guests::end_of(command.spawn().unwrap()).await;
    assert!(ended.passed, "{}", ended.said);
}

#[tokio::test]
#[needs::memcached]
async fn no_test_is_served_by_yesterdays_code_of_a_service() {
    let guests = Guests::new().with("ITEST_LINGER", "1m");
    guests.pass("tells_what_is_said_beside_its_namesake").await;
    let folder = tempfile::tempdir().unwrap();
    let said = [(namesake::SAID, "said by this day's code!")];
    let changed = built_after_a_change(Namesake::CODE, &said, folder.path());
    pass_in(&changed, "tells_what_is_said_beside_its_namesake", &guests).await;
    guests.pass("tells_what_is_said_beside_its_namesake").await;
    assert_eq!(
        guests.notes("said"),
        [
            "said by yesterday's code",
            "said by this day's code!",
            "said by yesterday's code"
        ]
    );
    assert_eq!(
        guests.supervisors().len(),
        3,
        "one for Redis, and one for each state of the code"
    );
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(theirs = namesake, redis)]
#[ignore = "a guest"]
async fn tells_what_is_said_beside_its_namesake(
    theirs: Said,
    mut redis: redis::aio::MultiplexedConnection,
) -> anyhow::Result<()> {
    redis::cmd("PING").query_async::<()>(&mut redis).await?;
    note("said", &theirs.0);
    Ok(())
}

#[tokio::test]
async fn a_service_that_the_common_supervisor_does_not_know_has_its_own_and_all_others_stay_there() {
    let guests = Guests::new().with("ITEST_LINGER", "1m");
    let folder = tempfile::tempdir().unwrap();
    let changed = built_after_a_change(itest::service::Redis::CODE, &[], folder.path());
    // The changed program becomes the common supervisor; it knows this program's PostgreSQL, and another Redis.
    pass_in(&changed, "tells_its_database_and_cache", &guests).await;
    assert_eq!(guests.supervisors().len(), 1, "one for both");
    guests
        .pass_together(&["tells_its_database_and_cache", "tells_its_database_and_cache"])
        .await;
    pass_in(&changed, "tells_its_database_and_cache", &guests).await;
    assert_eq!(guests.supervisors().len(), 2, "and one for this program's Redis");
    let (databases, caches) = (guests.notes("database"), guests.notes("cache"));
    assert!(databases.iter().all(|server| *server == databases[0]), "{databases:?}");
    assert_ne!(caches[1], caches[0], "no test is served by other code");
    assert_eq!(caches[2], caches[1]);
    assert_eq!(caches[3], caches[0]);
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis, postgres)]
#[ignore = "a guest"]
async fn tells_its_database_and_cache(db: PgPool, mut cache: redis::aio::MultiplexedConnection) -> anyhow::Result<()> {
    let started: String = sqlx::query_scalar("SELECT pg_postmaster_start_time()::text")
        .fetch_one(&db)
        .await?;
    note("database", started);
    let about: String = redis::cmd("INFO").arg("server").query_async(&mut cache).await?;
    note(
        "cache",
        about
            .lines()
            .find(|line| line.starts_with("run_id"))
            .unwrap_or_default(),
    );
    Ok(())
}

#[tokio::test]
#[needs::images]
async fn it_may_be_a_container() {
    let guests = Guests::new()
        .with("ITEST_MEMCACHED_PROVIDER", "docker")
        .with("ITEST_MEMCACHED_IMAGE", "localhost/itest-memcached:1.6");
    guests
        .pass_together(&["tells_its_server_alone", "tells_its_server_alone"])
        .await;
    assert_eq!(guests.notes("server"), ["1", "1"], "the first process of a container");
    let started = guests.notes("started");
    assert_eq!(started[0], started[1], "one container for both");
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(memcached(megabytes = 16))]
#[ignore = "a guest"]
async fn tells_its_server_alone(cache: &mut Client) -> anyhow::Result<()> {
    note("server", cache.stat("pid").await?);
    let (now, up) = (
        cache.stat("time").await?.parse::<i64>()?,
        cache.stat("uptime").await?.parse::<i64>()?,
    );
    note("started", now - up);
    Ok(())
}
