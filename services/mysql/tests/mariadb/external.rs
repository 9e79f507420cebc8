//! On a server that somebody else runs: that of a test that has it to itself.

use std::collections::BTreeSet;

use itest::service::MariaDb;
use itest::service::testing::notes::{self, note};
use itest::service::testing::{Guests, wait_for};
use itest::{Url, integration};
use rustix::process::Signal;
use sqlx::{AssertSqlSafe, MySqlPool};

#[integration(mariadb(migrations = "./tests/migrations"))]
#[ignore = "a guest"]
async fn has_a_database(db: MySqlPool) -> anyhow::Result<()> {
    let server: String = sqlx::query_scalar("SELECT @@server_uid").fetch_one(&db).await?;
    note("server", server);
    note("busy", "");
    notes::wait_for("end").await;
    Ok(())
}

#[integration(mariadb(version = "10.5"))]
#[ignore = "a guest"]
async fn asks_for_another_version() {}

#[integration(mariadb(settings("max_connections=7")))]
#[ignore = "a guest"]
async fn asks_for_a_setting() {}

fn guests(url: &str) -> Guests {
    Guests::new()
        .with("ITEST_MARIADB_PROVIDER", "external")
        .with("ITEST_MARIADB_URL", url)
}

/// Databases, users, and the connections of supervisors.
async fn inventory(db: &MySqlPool) -> anyhow::Result<BTreeSet<String>> {
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT CONCAT('database ', SCHEMA_NAME) FROM information_schema.SCHEMATA
         UNION SELECT CONCAT('user ', User) FROM mysql.global_priv",
    )
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().collect())
}

#[integration(mariadb(native, dedicated))]
async fn a_supervisor_leaves_nothing_there(url: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    let before = inventory(&db).await?;
    let guests = guests(url.as_str());
    let busy = guests.start_busy("external::has_a_database").await;
    let own: String = sqlx::query_scalar("SELECT @@server_uid").fetch_one(&db).await?;
    assert_eq!(guests.notes("server"), [own]);
    assert!(inventory(&db).await?.len() > before.len());
    guests.let_end(busy).await;
    guests.end_supervisors(Signal::TERM).await;
    assert_eq!(inventory(&db).await?, before);
    Ok(())
}

#[integration(mariadb(native, dedicated))]
async fn what_a_killed_supervisor_left_is_removed_by_the_next(url: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    let before = inventory(&db).await?;
    let dead = guests(url.as_str());
    let mut busy = dead.start_busy("external::has_a_database").await;
    let alive = guests(url.as_str());
    let other = alive.start_busy("external::has_a_database").await;
    dead.end_supervisors(Signal::KILL).await;
    busy.kill().await?;

    let next = guests(url.as_str());
    let last = next.start_busy("external::has_a_database").await;
    next.let_end(last).await;
    next.end_supervisors(Signal::TERM).await;
    alive.let_end(other).await;
    alive.end_supervisors(Signal::TERM).await;
    wait_for("the dead one's databases go", async || {
        let now = inventory(&db).await?;
        anyhow::ensure!(now == before, "{:?} are left", now.difference(&before));
        Ok(())
    })
    .await;
    Ok(())
}

/// As a restart does.
async fn end_all_other_sessions(db: &MySqlPool) -> anyhow::Result<()> {
    let mut own = db.acquire().await?;
    let others = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = SUBSTRING_INDEX(USER(), '@', 1) AND ID <> CONNECTION_ID()";
    let others: Vec<i64> = sqlx::query_scalar(others).fetch_all(&mut *own).await?;
    assert!(!others.is_empty(), "supervisors have sessions");
    for session in others {
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {session}")))
            .execute(&mut *own)
            .await;
    }
    Ok(())
}

#[integration(mariadb(native, dedicated))]
async fn who_has_lost_its_sessions_is_not_taken_for_dead(url: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    let alive = guests(url.as_str());
    let busy = alive.start_busy("external::has_a_database").await;
    let before = inventory(&db).await?;
    end_all_other_sessions(&db).await?;
    let other = guests(url.as_str());
    let last = other.start_busy("external::has_a_database").await;
    other.let_end(last).await;
    other.end_supervisors(Signal::TERM).await;
    let now = inventory(&db).await?;
    assert!(before.is_subset(&now), "{:?} are gone", before.difference(&now));
    alive.let_end(busy).await;
    alive.end_supervisors(Signal::TERM).await;
    Ok(())
}

#[integration(mariadb(native, dedicated))]
async fn what_it_is_not_is_said(url: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE USER weak@'%' IDENTIFIED BY 'secret'")
        .execute(&db)
        .await?;
    let at = url.as_str().split('@').nth(1).unwrap_or_default();
    let guests_of = guests(url.as_str());
    guests_of
        .fail_saying("external::asks_for_another_version", &["asks for MariaDB 10.5"])
        .await;
    guests_of
        .fail_saying(
            "external::asks_for_a_setting",
            &["`max_connections`", "not ours to change"],
        )
        .await;
    for (wrong, parts) in [
        (
            format!("mysql://weak:secret@{at}"),
            &["failed to make a database", "WITH GRANT OPTION"][..],
        ),
        (
            format!("postgres://ada:secret@{at}"),
            &["no URL of a MariaDB server", "mysql://user:password@host"][..],
        ),
        (
            "mysql://ada:secret@127.0.0.1:1".to_owned(),
            &["can't be used", "is it running"][..],
        ),
    ] {
        let guests = guests(&wrong);
        let said = guests.fail_saying("external::has_a_database", parts).await;
        assert!(!said.contains("secret"), "{said}");
        guests.end_supervisors(Signal::TERM).await;
    }
    Ok(())
}

#[integration(mariadb(native, dedicated))]
async fn the_promises_hold_there(url: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    // As of a user who may do just enough.
    let made =
        "CREATE USER maker@'%' IDENTIFIED BY 'secret'; GRANT ALL PRIVILEGES ON *.* TO maker@'%' WITH GRANT OPTION";
    sqlx::raw_sql(AssertSqlSafe(made)).execute(&db).await?;
    let at = url.as_str().split('@').nth(1).unwrap_or_default();
    for promise in [
        "one_server_serves_all_processes",
        "every_test_begins_with_a_clean_slice",
        "what_a_killed_test_wrote_is_gone",
        "a_client_that_outlives_its_test_is_locked_out",
        "what_a_failing_test_wrote_stays_if_asked_for",
    ] {
        guests(&format!("mysql://maker:secret@{at}"))
            .pass(&format!("promises::{promise}"))
            .await;
    }
    Ok(())
}
