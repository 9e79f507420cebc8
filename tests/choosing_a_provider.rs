//! `auto`: a URL if there is one, else a container if that can be had, else a process; and it is said which, and why.

mod support;

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use itest::integration;
use rustix::process::Signal;
use sqlx::PgPool;
use support::Guests;
use support::notes::note;

/// How long an engine that hangs may hold a test up, on a machine that is busy.
const HELD_UP: Duration = Duration::from_secs(15);

#[integration(postgres)]
#[ignore = "a guest"]
async fn tells_its_server(db: PgPool) -> anyhow::Result<()> {
    // In a container nobody knows of this machine's processes.
    let folder: String = sqlx::query_scalar("SELECT setting FROM pg_settings WHERE name = 'config_file'")
        .fetch_optional(&db)
        .await?
        .unwrap_or_default();
    note("config", folder);
    let port: String = sqlx::query_scalar("SHOW port").fetch_one(&db).await?;
    note("port", port);
    Ok(())
}

fn auto() -> Guests {
    Guests::new()
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", "")
        .with("ITEST_POSTGRES_PROVIDER", "")
        .with("ITEST_POSTGRES_IMAGE", "localhost/itest-postgres:15")
}

#[tokio::test]
#[needs::images]
async fn a_container_where_there_are_engine_and_image() {
    let guests = auto();
    let said = guests.run("tells_its_server").await.said;
    let why = "postgres is a container of localhost/itest-postgres:15 (the container engine answers, and the image \
               localhost/itest-postgres:15 is here)";
    assert!(said.contains(why), "{said}");
    assert_eq!(guests.notes("port"), ["5432"]);
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn a_process_where_there_is_no_engine() {
    let guests = auto().with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let said = guests.run("tells_its_server").await.said;
    for part in [
        "postgres is a process of this machine (no container, as the container engine can't be used",
        "/nowhere/docker.sock",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_ne!(guests.notes("port"), ["5432"]);
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
#[needs::images]
async fn a_process_where_the_image_cannot_be_had() {
    let guests = auto().with("ITEST_POSTGRES_IMAGE", "127.0.0.1:1/postgres:16");
    let said = guests.run("tells_its_server").await.said;
    let why = "postgres is a process of this machine (no container, as the image 127.0.0.1:1/postgres:16 is not on the \
               engine, and can't be pulled";
    assert!(said.contains(why), "{said}");
    guests.end_supervisors(Signal::TERM).await;
}

/// An engine that takes connections, and never says a word.
fn silent_engine(folder: &tempfile::TempDir) -> (UnixListener, String) {
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    (listener, format!("unix://{}", socket.display()))
}

#[tokio::test]
async fn an_engine_that_hangs_does_not_hang_the_tests() {
    let folder = tempfile::tempdir().unwrap();
    let (_listener, engine) = silent_engine(&folder);
    let guests = auto().with("DOCKER_HOST", &engine);
    let began = Instant::now();
    let said = guests.run("tells_its_server").await.said;
    assert!(
        said.contains("it doesn't answer within 3s") && said.contains("a process of this machine"),
        "{said}"
    );
    assert!(began.elapsed() < HELD_UP, "{:?}", began.elapsed());
    guests.end_supervisors(Signal::TERM).await;

    let stubborn = auto().with("DOCKER_HOST", &engine).with("ITEST_PROVIDER", "docker");
    let began = Instant::now();
    let said = stubborn.fail("tells_its_server").await;
    for part in ["it doesn't answer within 3s", "hint:", "DOCKER_HOST"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(began.elapsed() < HELD_UP, "{:?}", began.elapsed());
    // The tests of one run wait once.
    let began = Instant::now();
    stubborn.fail("tells_its_server").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    stubborn.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn where_nothing_will_do_all_that_was_tried_is_said_with_a_remedy_each() {
    let guests = auto()
        .with("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .with("ITEST_POSTGRES_BIN", "/nowhere");
    let said = guests.fail("tells_its_server").await;
    for part in [
        "no way was found to run postgres",
        "any one of these will do:",
        "external: no URL is set",
        "set ITEST_POSTGRES_URL",
        "docker: the container engine can't be used",
        "is DOCKER_HOST=unix:///nowhere/docker.sock right",
        "native: no program `postgres`",
        "/nowhere is not there",
        "apt-get install postgresql",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn an_engines_address_that_makes_no_sense_is_named() {
    for address in ["ftp://host", "docker"] {
        let guests = auto().with("DOCKER_HOST", address).with("ITEST_PROVIDER", "docker");
        let said = guests.fail("tells_its_server").await;
        let hint = format!("DOCKER_HOST={address}");
        assert!(
            said.contains("the container engine can't be used") && said.contains(&hint),
            "{address}: {said}"
        );
        guests.end_supervisors(Signal::TERM).await;
    }
}
