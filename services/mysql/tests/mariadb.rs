//! What a test has of MariaDB.

#[path = "mariadb/external.rs"]
mod external;
#[path = "mariadb/templates.rs"]
mod templates;

use itest::service::MariaDb;
use itest::service::testing::promises::Outcome;
use itest::service::testing::{Guests, Subject};
use itest::{Url, integration};
use rustix::process::Signal;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{Connection, MySql, MySqlConnection, MySqlPool, Transaction};

struct Databases;

impl Subject for Databases {
    type Service = MariaDb;
    type Value = MySqlPool;

    async fn write(db: &MySqlPool) -> Outcome<()> {
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS written (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO written VALUES ()",
        )
        .execute(db)
        .await?;
        Ok(())
    }

    async fn count(db: &MySqlPool) -> Outcome<usize> {
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS(SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'written')",
        )
        .fetch_one(db)
        .await?;
        if !there {
            return Ok(0);
        }
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM written").fetch_one(db).await?;
        Ok(usize::try_from(rows)?)
    }

    async fn server(db: &MySqlPool) -> Outcome<String> {
        Ok(sqlx::query_scalar("SELECT @@server_uid").fetch_one(db).await?)
    }
}

mod promises {
    use super::Databases;

    itest::service::testing::promises!(mariadb, Databases);
}

#[integration(mariadb)]
async fn every_way_leads_to_the_same_database(
    db: MySqlPool,
    connection: &mut MySqlConnection,
    options: MySqlConnectOptions,
    url: Url<MariaDb>,
) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE seen (id int); INSERT INTO seen VALUES (1)")
        .execute(&db)
        .await?;
    let mut by_options = MySqlConnection::connect_with(&options).await?;
    let mut by_url = MySqlConnection::connect(url.as_str()).await?;
    for way in [connection, &mut by_options, &mut by_url] {
        let seen: i32 = sqlx::query_scalar("SELECT id FROM seen").fetch_one(way).await?;
        assert_eq!(seen, 1);
    }
    Ok(())
}

#[integration(mariadb)]
async fn a_transaction_of_the_tests_own(
    mut transaction: Transaction<'static, MySql>,
    db: MySqlPool,
) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE seen (id int)").execute(&db).await?;
    sqlx::raw_sql("INSERT INTO seen VALUES (1)")
        .execute(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM seen").fetch_one(&db).await?;
    assert_eq!(seen, 0);
    Ok(())
}

#[integration(mine = mariadb, other = mariadb)]
async fn a_test_is_kept_to_its_own_database(mine: MySqlPool, other: MySqlPool) -> anyhow::Result<()> {
    let theirs: String = sqlx::query_scalar("SELECT DATABASE()").fetch_one(&other).await?;
    sqlx::raw_sql("CREATE TABLE secret (id int)").execute(&other).await?;
    let databases: Vec<String> = sqlx::query_scalar("SHOW DATABASES").fetch_all(&mine).await?;
    assert_eq!(databases.len(), 2, "its own and information_schema: {databases:?}");
    for beyond in [
        format!("SELECT * FROM {theirs}.secret"),
        format!("DROP DATABASE {theirs}"),
        "CREATE DATABASE more".to_owned(),
        "CREATE USER eve".to_owned(),
        "SET GLOBAL max_connections = 1".to_owned(),
        "SELECT * FROM mysql.global_priv".to_owned(),
    ] {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(beyond.clone())).execute(&mine).await;
        let refused = refused.expect_err(&beyond).to_string();
        let hint = itest::service::Service::explain(&itest::service::mariadb(), &refused);
        assert!(
            hint.is_some_and(|hint| hint.contains("mariadb(dedicated)")),
            "{beyond}: {refused}"
        );
    }
    Ok(())
}

#[integration(mariadb(migrations = "./tests/migrations", transaction))]
async fn a_transaction_is_rolled_back(db: MySqlPool) -> anyhow::Result<()> {
    let mut savepoint = db.begin().await?;
    sqlx::query("DELETE FROM people").execute(&mut *savepoint).await?;
    savepoint.rollback().await?;
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM people").fetch_one(&db).await?;
    assert_eq!(people, 2);
    let held = db.acquire().await?;
    let second = db.acquire().await.expect_err("there is one connection").to_string();
    let hint = itest::service::Service::explain(&itest::service::mariadb().transaction(), &second);
    assert!(hint.is_some_and(|hint| hint.contains("one connection")), "{second}");
    drop(held);
    Ok(())
}

#[integration(mariadb(migrations = "./tests/migrations", transaction))]
#[ignore = "a guest"]
async fn commits_by_ddl(db: MySqlPool) -> anyhow::Result<()> {
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM people").fetch_one(&db).await?;
    assert_eq!(people, 2);
    sqlx::query("DELETE FROM people").execute(&db).await?;
    sqlx::raw_sql("CREATE TABLE committed (id int)").execute(&db).await?;
    Ok(())
}

#[integration(mariadb(migrations = "./tests/migrations", shared))]
#[ignore = "a guest"]
async fn shares(db: MySqlPool) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO letters (sender, body) VALUES (1, 'shared')")
        .execute(&db)
        .await?;
    let letters: i64 = sqlx::query_scalar("SELECT count(*) FROM letters")
        .fetch_one(&db)
        .await?;
    itest::service::testing::notes::note("letters", letters);
    Ok(())
}

#[tokio::test]
async fn what_ddl_commits_goes_and_what_is_shared_stays() {
    let guests = Guests::new();
    for _ in 0..3 {
        guests.pass("commits_by_ddl").await;
        guests.pass("shares").await;
    }
    assert_eq!(guests.notes("letters"), ["2", "3", "4"]);
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(mariadb(dedicated, settings("max_connections = 77")))]
async fn on_a_server_of_its_own_a_test_may_do_anything(db: MySqlPool) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE DATABASE more; CREATE USER eve IDENTIFIED BY 'x'; SET GLOBAL wait_timeout = 10")
        .execute(&db)
        .await?;
    let connections: i64 = sqlx::query_scalar("SELECT CAST(@@max_connections AS INT)")
        .fetch_one(&db)
        .await?;
    assert_eq!(connections, 77);
    Ok(())
}

#[integration(mariadb, timeout = "1s")]
#[ignore = "a guest"]
async fn waits_for_a_lock(db: MySqlPool) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE held (id int PRIMARY KEY); INSERT INTO held VALUES (1)")
        .execute(&db)
        .await?;
    let mut holder = db.begin().await?;
    sqlx::raw_sql("UPDATE held SET id = 2").execute(&mut *holder).await?;
    sqlx::raw_sql("UPDATE held SET id = 3").execute(&db).await?;
    Ok(())
}

#[integration(mariadb(settings("port=1")))]
#[ignore = "a guest"]
async fn sets_what_is_ours() {}

#[integration(mariadb(settings("skip_grant_tables")))]
#[ignore = "a guest"]
async fn opens_the_door() {}

#[integration(mariadb(settings("no_such_setting=1")))]
#[ignore = "a guest"]
async fn has_a_typing_mistake() {}

#[integration(mariadb(version = "5.5"))]
#[ignore = "a guest"]
async fn asks_for_an_old_one() {}

#[integration(mariadb(transaction))]
#[ignore = "a guest"]
async fn wants_a_url_of_a_transaction(url: Url<MariaDb>) {
    drop(url);
}

#[tokio::test]
async fn a_failure_is_told_with_its_cause_and_a_remedy() {
    let guests = Guests::new();
    for (guest, parts) in [
        (
            "waits_for_a_lock",
            &["was still doing for this test", "UPDATE held SET id = 3"][..],
        ),
        (
            "sets_what_is_ours",
            &["`port` in `mariadb(settings", "not a test's to set"],
        ),
        ("opens_the_door", &["`skip-grant-tables` in `mariadb(settings"]),
        (
            "has_a_typing_mistake",
            &["unknown variable 'no_such_setting=1'", "write each as"],
        ),
        ("asks_for_an_old_one", &["MariaDB 5.5", "10.5"]),
        (
            "wants_a_url_of_a_transaction",
            &["a `transaction` has only one", "`MySqlPool`"],
        ),
    ] {
        guests.fail_saying(guest, parts).await;
    }
    guests.end_supervisors(Signal::TERM).await;
}
