//! `postgres(dedicated)` and `postgres(settings(…))`: a server of the test's own, or of those who want the same settings.

mod support;

use std::path::PathBuf;

use itest::integration;
use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use support::notes::note;
use support::{Guests, wait_until};

async fn setting(db: &PgPool, name: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT current_setting($1)")
        .bind(name)
        .fetch_one(db)
        .await
}

/// What tells one running server from another: in containers all have the same port.
async fn identity(db: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT current_setting('port') || ' ' || pg_postmaster_start_time()")
        .fetch_one(db)
        .await
}

#[integration(postgres(dedicated, migrations = "./tests/migrations"))]
async fn on_a_server_of_its_own_a_test_may_do_anything(db: PgPool, options: PgConnectOptions) -> anyhow::Result<()> {
    for statement in [
        "CREATE ROLE clerk LOGIN PASSWORD 'secret'",
        "GRANT SELECT ON rooms TO clerk",
        "CREATE DATABASE archive OWNER clerk",
        "ALTER SYSTEM SET work_mem = '17MB'",
        "SELECT pg_reload_conf()",
        "CREATE EXTENSION dblink",
        "SET session_replication_role = replica",
    ] {
        let done = sqlx::raw_sql(statement).execute(&db).await;
        assert!(done.is_ok(), "{statement}: {done:?}");
    }
    let clerk = options.database("archive").username("clerk").password("secret");
    let mut archive = PgConnection::connect_with(&clerk).await?;
    sqlx::raw_sql("CREATE TABLE papers ()").execute(&mut archive).await?;
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while setting(&db, "work_mem").await? != "17MB" {
        anyhow::ensure!(
            std::time::Instant::now() < deadline,
            "the server doesn't take its new settings"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn needs_a_superuser(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("CREATE EXTENSION dblink").execute(&db).await?;
    Ok(())
}

#[integration(postgres(dedicated, setup = needs_a_superuser))]
async fn on_a_server_of_its_own_a_template_may_hold_anything(db: PgPool) -> anyhow::Result<()> {
    let extension: String = sqlx::query_scalar("SELECT extname::text FROM pg_extension WHERE extname = 'dblink'")
        .fetch_one(&db)
        .await?;
    assert_eq!(extension, "dblink");
    Ok(())
}

#[integration(one = postgres(dedicated), other = postgres(dedicated), common = postgres)]
async fn two_dedicated_servers_are_two(one: PgPool, other: PgPool, common: PgPool) -> anyhow::Result<()> {
    let [one, other, common] = [identity(&one).await?, identity(&other).await?, identity(&common).await?];
    assert!(
        one != other && other != common && one != common,
        "{one} {other} {common}"
    );
    Ok(())
}

#[integration(
    set = postgres(settings("work_mem=9MB", "wal_level=logical", "max_wal_senders=4", "max_prepared_transactions=5")),
    plain = postgres,
)]
async fn settings_make_another_server(set: PgPool, plain: PgPool) -> anyhow::Result<()> {
    assert_eq!(setting(&set, "work_mem").await?, "9MB");
    assert_eq!(setting(&set, "wal_level").await?, "logical");
    assert_eq!(setting(&plain, "wal_level").await?, "minimal");
    assert_ne!(identity(&set).await?, identity(&plain).await?);
    Ok(())
}

#[tokio::test]
async fn a_dedicated_server_goes_with_its_test() {
    let guests = Guests::new();
    guests.pass("tells_where_its_own_server_lies").await;
    let data = PathBuf::from(&guests.notes("data")[0]);
    wait_until("the server's folder goes", || {
        data.exists().then(|| format!("{} is still there", data.display()))
    })
    .await;
    assert_eq!(
        guests.supervisors().len(),
        1,
        "only the server ends, not the supervisor"
    );
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(dedicated))]
#[ignore = "a guest"]
async fn tells_where_its_own_server_lies(db: PgPool) -> anyhow::Result<()> {
    note("data", setting(&db, "data_directory").await?);
    Ok(())
}

// Nobody ends a prepared transaction but by name; a database that has one can't be dropped.
#[tokio::test]
async fn what_was_prepared_for_a_commit_in_two_phases_goes_with_its_database() {
    let guests = Guests::new();
    guests.pass("leaves_a_prepared_transaction").await;
    let database = guests.notes("database").remove(0);
    let deadline = std::time::Instant::now() + support::PATIENCE;
    loop {
        guests.pass("lists_databases").await;
        let listed = guests.notes("databases").pop().unwrap();
        if !listed.contains(&database) {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{database} is still there: {listed}"
        );
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn what_no_test_may_ask_of_a_server_is_said_at_once() {
    let guests = Guests::new();
    for (guest, parts) in [
        (
            "asks_for_a_port",
            [
                "`port` in `postgres(settings(...))` is not a test's to set",
                "hint: take it out",
            ],
        ),
        (
            "asks_for_an_old_version",
            [
                "asks for PostgreSQL 12, and itest works with PostgreSQL 13",
                "hint: write `version",
            ],
        ),
    ] {
        guests.fail_saying(guest, &parts).await;
    }
    assert!(guests.supervisors().is_empty(), "nothing was started");
}

#[integration(postgres(settings("work_mem=4MB", "port = 5432")))]
#[ignore = "a guest that fails"]
fn asks_for_a_port(_db: PgPool) {}

#[integration(postgres(version = "12"))]
#[ignore = "a guest that fails"]
fn asks_for_an_old_version(_db: PgPool) {}

#[integration(postgres(settings("max_prepared_transactions=5")))]
#[ignore = "a guest"]
async fn leaves_a_prepared_transaction(db: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE t (); BEGIN; INSERT INTO t DEFAULT VALUES; PREPARE TRANSACTION 'left'")
        .execute(&mut *db)
        .await?;
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(db)
        .await?;
    note("database", format!("{name} "));
    Ok(())
}

#[integration(postgres(settings("max_prepared_transactions=5")))]
#[ignore = "a guest"]
async fn lists_databases(db: PgPool) -> anyhow::Result<()> {
    let names: String = sqlx::query_scalar("SELECT string_agg(datname, ' ') || ' ' FROM pg_database")
        .fetch_one(&db)
        .await?;
    note("databases", names);
    Ok(())
}

#[integration(postgres(dedicated, settings("wal_level=logical")))]
async fn logical_decoding_sees_what_was_committed(db: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE t (id int PRIMARY KEY)")
        .execute(&mut *db)
        .await?;
    sqlx::raw_sql("SELECT pg_create_logical_replication_slot('s', 'test_decoding')")
        .execute(&mut *db)
        .await?;
    sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut *db).await?;
    let changes = sqlx::raw_sql("SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)")
        .fetch_all(db)
        .await?;
    assert!(!changes.is_empty());
    Ok(())
}
