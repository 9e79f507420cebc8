//! What tests start from, and that a copy is like what it is a copy of.

use std::collections::BTreeMap;

use itest::integration;
use itest::service::testing::Guests;
use itest::service::testing::notes::note;
use rustix::process::Signal;
use sqlx::migrate::Migrator;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlPool, Row};

static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

/// The first column of what a query finds, as text.
async fn column(db: &MySqlPool, query: &str, number: usize) -> sqlx::Result<Vec<String>> {
    let text = |row: &MySqlRow| {
        let bytes = row.try_get::<Option<Vec<u8>>, _>(number);
        let text = row
            .try_get::<Option<String>, _>(number)
            .or_else(|_| bytes.map(|bytes| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())));
        Ok(text?.unwrap_or_else(|| "NULL".to_owned()))
    };
    let rows = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_all(db).await?;
    rows.iter().map(text).collect()
}

/// All that is in a database, by its objects; its name, and that of its user, are left out.
async fn dump(db: &MySqlPool) -> sqlx::Result<BTreeMap<String, Vec<String>>> {
    let own: String = sqlx::query_scalar("SELECT DATABASE()").fetch_one(db).await?;
    let mut found = BTreeMap::new();
    for (kind, list, shown) in [
        (
            "TABLE",
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW'",
            1,
        ),
        (
            "VIEW",
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()",
            1,
        ),
        (
            "FUNCTION",
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = 'FUNCTION'",
            2,
        ),
        (
            "PROCEDURE",
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = 'PROCEDURE'",
            2,
        ),
        (
            "TRIGGER",
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
            2,
        ),
        (
            "EVENT",
            "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()",
            3,
        ),
    ] {
        for name in column(db, list, 0).await? {
            let ident = format!("`{}`", name.replace('`', "``"));
            let mut lines = column(db, &format!("SHOW CREATE {kind} {ident}"), shown).await?;
            if kind == "TABLE" {
                let columns = format!(
                    "SELECT GROUP_CONCAT('HEX(COALESCE(`', REPLACE(COLUMN_NAME, '`', '``'), '`, ''none''))' ORDER BY ORDINAL_POSITION SEPARATOR ', ''|'', ')
                     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{name}'"
                );
                let columns = column(db, &columns, 0).await?.remove(0);
                // What a sequence is, is in its one row.
                lines.extend(column(db, &format!("SELECT CONCAT({columns}) FROM {ident} ORDER BY 1"), 0).await?);
            }
            found.insert(format!("{kind} {name}"), lines);
        }
    }
    found.insert(
        "itself".to_owned(),
        column(db, &format!("SHOW CREATE DATABASE `{own}`"), 1).await?,
    );
    for (name, query) in [
        (
            "the order of triggers",
            "SELECT CONCAT(TRIGGER_NAME, ACTION_ORDER, SQL_MODE, CHARACTER_SET_CLIENT, DATABASE_COLLATION, DEFINER) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1",
        ),
        (
            "events",
            "SELECT CONCAT(EVENT_NAME, SQL_MODE, TIME_ZONE, STARTS, DEFINER) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1",
        ),
        (
            "routines",
            "SELECT CONCAT(ROUTINE_NAME, SQL_MODE, CHARACTER_SET_CLIENT, DATABASE_COLLATION, DEFINER) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1",
        ),
        (
            "views",
            "SELECT CONCAT(TABLE_NAME, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DEFINER, SECURITY_TYPE) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1",
        ),
    ] {
        found.insert(name.to_owned(), column(db, query, 0).await?);
    }
    for lines in found.values_mut() {
        for line in lines {
            *line = line.replace(&own, "own");
        }
    }
    Ok(found)
}

#[integration(copied = mariadb(fixtures("everything")), made = mariadb)]
async fn a_copy_has_everything(copied: &MySqlPool, made: &MySqlPool) -> anyhow::Result<()> {
    let mut session = made.acquire().await?;
    sqlx::raw_sql(include_str!("fixtures/everything.sql"))
        .execute(&mut *session)
        .await?;
    drop(session);
    let (made_again, copy) = (dump(made).await?, dump(copied).await?);
    assert!(made_again.len() > 20, "{made_again:?}");
    for (object, lines) in &made_again {
        assert_eq!(copy.get(object), Some(lines), "{object}");
    }
    assert_eq!(copy.len(), made_again.len());
    for db in [copied, made] {
        // What is in it does what it does, and belongs to the test.
        sqlx::raw_sql("CALL add_zebra(9)").execute(db).await?;
        let seen: Vec<String> = sqlx::query_scalar("SELECT what FROM seen ORDER BY 1")
            .fetch_all(db)
            .await?;
        assert_eq!(seen, ["first 3", "first 9", "then", "then"]);
        let next: i64 = sqlx::query_scalar("SELECT NEXTVAL(numbers)").fetch_one(db).await?;
        assert_eq!(next, 15);
        let emptied = sqlx::query("INSERT INTO emptied VALUES ()").execute(db).await?;
        assert_eq!(emptied.last_insert_id(), 4);
        let twice: Vec<i32> = sqlx::query_scalar("SELECT twice FROM a_second ORDER BY 1")
            .fetch_all(db)
            .await?;
        assert_eq!(twice, [2, 4, 6, 18]);
        sqlx::raw_sql("DROP PROCEDURE add_zebra; DROP VIEW z_first; DROP TRIGGER zebra_then; DROP EVENT sweep; ALTER TABLE zebra DROP note")
            .execute(db)
            .await?;
    }
    Ok(())
}

async fn names(db: &MySqlPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM people ORDER BY id")
        .fetch_all(db)
        .await
}

async fn a_letter_more(db: MySqlPool) -> sqlx::Result<()> {
    note("setup", "ran");
    sqlx::query("INSERT INTO letters (sender, body) SELECT id, 'dear Ada' FROM people WHERE name = 'Bob'")
        .execute(&db)
        .await
        .map(drop)
}

#[integration(mariadb(migrations = "./tests/migrations"))]
async fn a_folder_of_migrations(db: MySqlPool) -> anyhow::Result<()> {
    assert_eq!(names(&db).await?, ["Ada", "Bob"]);
    let next = sqlx::query("INSERT INTO people (name) VALUES ('Dan')")
        .execute(&db)
        .await?;
    assert_eq!(next.last_insert_id(), 4, "the third is gone");
    Ok(())
}

#[integration(mariadb(migrator = MIGRATOR, setup = a_letter_more))]
async fn a_migrator_and_a_function(db: MySqlPool) -> anyhow::Result<()> {
    sqlx::query("DELETE FROM people WHERE name = 'Ada'")
        .execute(&db)
        .await?;
    let left: Vec<String> = sqlx::query_scalar("SELECT body FROM letters").fetch_all(&db).await?;
    assert_eq!(left, ["dear Ada"], "the other went with its sender");
    Ok(())
}

#[integration(mariadb(migrations = "./tests/migrations", fixtures("one_more")))]
async fn a_fixture_file_upon_migrations(db: MySqlPool) -> anyhow::Result<()> {
    assert_eq!(names(&db).await?, ["Ada", "Bob", "Dan"]);
    let left: Option<i64> = sqlx::query_scalar("SELECT @left").fetch_one(&db).await?;
    assert_eq!(left, None, "a file's session ends with it");
    Ok(())
}

#[integration(mariadb(migrations = "./tests/migrations", setup = a_letter_more))]
#[ignore = "a guest"]
async fn has_a_letter_more(db: MySqlPool) -> anyhow::Result<()> {
    let letters: i64 = sqlx::query_scalar("SELECT count(*) FROM letters")
        .fetch_one(&db)
        .await?;
    assert_eq!(letters, 2);
    sqlx::raw_sql("DROP TABLE letters; DELETE FROM people")
        .execute(&db)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_template_is_built_once() {
    let guests = Guests::new();
    let guest = "templates::has_a_letter_more";
    guests.pass_together(&[guest, guest, guest]).await;
    guests.pass(guest).await;
    assert_eq!(guests.notes("setup"), ["ran"]);
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(mariadb(fixtures("delimiter")))]
#[ignore = "a guest"]
async fn uses_a_word_of_the_clients() {}

#[integration(mariadb(migrations = "./tests/migrations", fixtures("left_open")))]
#[ignore = "a guest"]
async fn leaves_a_transaction_open() {}

#[integration(mariadb(migrations = "./tests/migrations", fixtures("wrong")))]
#[ignore = "a guest"]
async fn has_a_wrong_file() {}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_said_with_its_name() {
    let guests = Guests::new();
    for (guest, parts) in [
        ("uses_a_word_of_the_clients", ["delimiter.sql", "`DELIMITER` in line 1"]),
        (
            "leaves_a_transaction_open",
            ["left_open.sql", "leaves a transaction open"],
        ),
        ("has_a_wrong_file", ["wrong.sql", "nowhere' doesn't exist"]),
    ] {
        guests.fail_saying(&format!("templates::{guest}"), &parts).await;
    }
    guests.end_supervisors(Signal::TERM).await;
}
