//! Templates: what every slice starts from is made once, of migrations, fixtures and the test's own code, and belongs to
//! the test as if it had made it itself.

#[path = "postgres_templates/base.rs"]
mod base;
#[path = "postgres_templates/owner.rs"]
mod owner;
mod support;

use std::fs;

use itest::integration;
use rustix::process::Signal;
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, PgPool};
use support::notes::note;
use support::{Guests, folder};

static MIGRATOR: Migrator = sqlx::migrate!("./tests/migrations");

async fn rooms(db: &PgPool) -> sqlx::Result<Vec<(i64, String)>> {
    sqlx::query_as("SELECT id, name FROM rooms ORDER BY id")
        .fetch_all(db)
        .await
}

async fn add_a_room(db: PgPool) -> sqlx::Result<()> {
    let mut transaction = db.begin().await?;
    sqlx::query("INSERT INTO rooms (name) SELECT 'room after ' || count(*) FROM rooms")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[integration(postgres(
    migrations = "./tests/migrations",
    setup = add_a_room,
    fixtures("fixtures/more/suite.sql"),
    setup = add_a_room,
))]
async fn the_steps_run_in_the_order_in_which_they_are_written(db: PgPool) -> anyhow::Result<()> {
    let names: Vec<String> = rooms(&db).await?.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["room after 0", "suite", "room after 2"]);
    Ok(())
}

#[integration(postgres(migrator = MIGRATOR, fixtures("rooms", "fixtures/more/suite.sql")))]
async fn a_static_migrator_and_fixtures_by_name_and_by_path(db: PgPool) -> anyhow::Result<()> {
    let expected = [(1, "blue"), (2, "red"), (3, "suite")].map(|(id, name)| (id, name.to_owned()));
    assert_eq!(rooms(&db).await?, expected);
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&db)
        .await?;
    assert_eq!(applied, 2);
    MIGRATOR.run(&db).await?;
    Ok(())
}

// Sequences are part of the content: the fixture took a ticket.
#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms")))]
async fn seeded_rows_and_sequences_are_there(db: PgPool) -> anyhow::Result<()> {
    let ticket: i64 = sqlx::query_scalar("SELECT nextval('tickets')").fetch_one(&db).await?;
    let room: i64 = sqlx::query_scalar("INSERT INTO rooms (name) VALUES ('green') RETURNING id")
        .fetch_one(&db)
        .await?;
    let booking: i64 = sqlx::query_scalar("INSERT INTO bookings (room_id, guest) VALUES (1, 'Eve') RETURNING id")
        .fetch_one(&db)
        .await?;
    assert_eq!((ticket, room, booking), (101, 3, 2));
    Ok(())
}

#[integration(
    small = postgres(migrations = "./tests/migrations", fixtures("rooms")),
    large = postgres(migrations = "./tests/migrations", fixtures("many_rooms")),
    blank = postgres
)]
async fn different_templates_live_side_by_side(small: PgPool, large: PgPool, blank: PgPool) -> anyhow::Result<()> {
    assert_eq!(rooms(&small).await?.len(), 2);
    assert_eq!(rooms(&large).await?.len(), 50_000);
    rooms(&blank).await.expect_err("there is no such table");
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms")))]
async fn what_a_template_holds_is_the_tests_own(db: PgPool) -> anyhow::Result<()> {
    for statement in [
        "ALTER TABLE rooms ADD COLUMN floor int NOT NULL DEFAULT 0",
        "ALTER TYPE mood ADD VALUE 'wild'",
        "CREATE OR REPLACE FUNCTION room_count() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'",
        "ALTER SEQUENCE tickets RESTART 1",
        "ALTER TABLE bookings DISABLE TRIGGER no_ghosts",
        "CREATE INDEX ON rooms (floor)",
        "COMMENT ON TABLE rooms IS 'ours'",
        "GRANT SELECT ON rooms TO PUBLIC",
        "ALTER VIEW room_names OWNER TO CURRENT_USER",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER TABLE rooms ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rooms ON rooms USING (true)",
        "ANALYZE rooms",
        "TRUNCATE rooms CASCADE",
        "DROP VIEW room_names; DROP TABLE bookings, rooms CASCADE; DROP TYPE mood; DROP SEQUENCE tickets",
        "DROP TABLE _sqlx_migrations",
    ] {
        let done = sqlx::raw_sql(statement).execute(&db).await;
        assert!(done.is_ok(), "{statement}: {done:?}");
    }
    // Up to PostgreSQL 14 this schema isn't the database owner's anywhere.
    if !is_at_least(&db, 15).await? {
        return Ok(());
    }
    let schema = "ALTER SCHEMA public RENAME TO shop; DROP SCHEMA shop CASCADE; CREATE SCHEMA public";
    sqlx::raw_sql(schema).execute(&db).await?;
    MIGRATOR.run(&db).await?;
    assert_eq!(rooms(&db).await?, []);
    Ok(())
}

async fn is_at_least(db: &PgPool, major: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000 >= $1")
        .bind(major)
        .fetch_one(db)
        .await
}

/// Forced, so that the policy binds the owner, too.
async fn guard_rooms(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "ALTER TABLE rooms ENABLE ROW LEVEL SECURITY; ALTER TABLE rooms FORCE ROW LEVEL SECURITY;
         CREATE POLICY tenant ON rooms USING (name = current_setting('shop.tenant', true));
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
         CREATE TABLE made_after (id int)",
    )
    .execute(&db)
    .await
    .map(drop)
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), setup = guard_rooms))]
async fn row_level_security_holds_for_the_test_as_for_any_application(db: &mut PgConnection) -> anyhow::Result<()> {
    let seen = "SELECT coalesce(string_agg(name, ' '), '') FROM rooms";
    assert_eq!(sqlx::query_scalar::<_, String>(seen).fetch_one(&mut *db).await?, "");
    let mut tenant = db.begin().await?;
    sqlx::raw_sql("SET LOCAL shop.tenant = 'red'")
        .execute(&mut *tenant)
        .await?;
    assert_eq!(
        sqlx::query_scalar::<_, String>(seen).fetch_one(&mut *tenant).await?,
        "red"
    );
    tenant.rollback().await?;
    let open: bool = sqlx::query_scalar("SELECT has_table_privilege('public', 'made_after', 'SELECT')")
        .fetch_one(db)
        .await?;
    assert!(open, "default privileges are part of the content");
    Ok(())
}

#[tokio::test]
async fn equal_templates_are_built_once_however_many_tests_ask() {
    let guests = Guests::new();
    guests
        .pass_together(&[
            "counts_builds_here",
            "counts_builds_there",
            "counts_builds_in_a_transaction",
        ])
        .await;
    guests.pass("counts_builds_here").await;
    assert_eq!(guests.notes("built"), ["once"]);
    guests.end_supervisors(Signal::TERM).await;
}

async fn count_build(db: PgPool) -> sqlx::Result<()> {
    note("built", "once");
    sqlx::raw_sql("CREATE TABLE built (by text); INSERT INTO built VALUES (current_user)")
        .execute(&db)
        .await
        .map(drop)
}

async fn one_row(db: &PgPool) -> anyhow::Result<()> {
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM built").fetch_one(db).await?;
    anyhow::ensure!(rows == 1);
    sqlx::raw_sql("DELETE FROM built").execute(db).await?;
    Ok(())
}

#[integration(postgres(setup = count_build))]
#[ignore = "a guest"]
async fn counts_builds_here(db: PgPool) -> anyhow::Result<()> {
    one_row(&db).await
}

#[integration(postgres(setup = count_build))]
#[ignore = "a guest"]
async fn counts_builds_there(db: PgPool) -> anyhow::Result<()> {
    one_row(&db).await
}

#[integration(postgres(setup = count_build, transaction))]
#[ignore = "a guest"]
async fn counts_builds_in_a_transaction(db: PgPool) -> anyhow::Result<()> {
    one_row(&db).await
}

// As a program does that cargo runs, and which runs tests in its turn.
#[tokio::test]
async fn another_packages_folder_is_not_taken_for_the_tests_own() {
    let stale = folder("xtask");
    let guests = Guests::new().with("CARGO_MANIFEST_DIR", stale.to_str().unwrap());
    guests
        .pass("the_steps_run_in_the_order_in_which_they_are_written")
        .await;
    guests.end_supervisors(Signal::TERM).await;
}

// The guest's package is wherever CARGO_MANIFEST_DIR says: here a workspace that is written for this test.
#[tokio::test]
async fn a_migration_that_changes_makes_another_template() {
    let workspace = tempfile::tempdir().unwrap();
    let migrations = workspace.path().join("migrations");
    let write = |name: &str, sql: &str| fs::write(migrations.join(name), sql).unwrap();
    fs::write(workspace.path().join("Cargo.lock"), "").unwrap();
    fs::create_dir(&migrations).unwrap();
    let guests = Guests::new().with("CARGO_MANIFEST_DIR", workspace.path().to_str().unwrap());

    write("1_first.sql", "CREATE TABLE first ()");
    guests.pass("lists_its_tables").await;
    write("1_first.sql", "CREATE TABLE premier ()");
    guests.pass("lists_its_tables").await;
    write("2_second.sql", "CREATE TABLE second ()");
    guests.pass("lists_its_tables").await;
    fs::remove_file(migrations.join("2_second.sql")).unwrap();
    guests.pass("lists_its_tables").await;
    write("2_second.sql", "CREATE TABLE second (); CREATE TABEL third ()");
    let said = guests.fail("lists_its_tables").await;
    assert!(
        said.contains("2_second.sql failed") && said.contains("in line 1"),
        "{said}"
    );
    write("2_second.sql", "CREATE TABLE second (); CREATE TABLE third ()");
    guests.pass("lists_its_tables").await;

    let seen = ["first", "premier", "premier second", "premier", "premier second third"];
    assert_eq!(guests.notes("tables"), seen);
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./migrations"))]
#[ignore = "a guest"]
async fn lists_its_tables(db: PgPool) -> anyhow::Result<()> {
    let tables: String = sqlx::query_scalar(
        "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables
         WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
    )
    .fetch_one(&db)
    .await?;
    note("tables", tables);
    Ok(())
}

#[tokio::test]
async fn content_that_can_not_be_made_is_explained() {
    let guests = Guests::new();
    let said = guests.fail("loads_a_broken_fixture").await;
    let broken = folder("tests/fixtures/broken.sql");
    for part in [
        format!("the fixture {} failed in line 2", broken.display()).as_str(),
        "relation \"roms\" does not exist",
    ] {
        assert!(said.contains(part), "{said}");
    }
    for (guest, parts) in [
        (
            "loads_a_fixture_that_is_not_there",
            ["the fixture `nobody` is not there", "hint: `fixtures("],
        ),
        (
            "migrates_from_nowhere",
            ["failed to read the migrations", "hint: `migrations = "],
        ),
        ("sets_up_in_vain", ["the setup function", "sets_up_in_vain"]),
        (
            "copies_rows_like_psql",
            [
                "copies.sql has rows in line 2 that only `psql` could send",
                "hint: write `INSERT`",
            ],
        ),
        (
            "restricts_like_psql",
            [
                "restricts.sql has a command of `psql`'s own in line 1",
                "hint: take the line out",
            ],
        ),
        (
            "empties_the_search_path",
            [
                "1_dump.sql leaves an empty search_path behind, and sqlx doesn't find its own table",
                "hint: put `RESET search_path;` at its end",
            ],
        ),
    ] {
        guests.fail_saying(guest, &parts).await;
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("broken")))]
#[ignore = "a guest that fails"]
fn loads_a_broken_fixture(_db: PgPool) {}

#[integration(postgres(fixtures("nobody")))]
#[ignore = "a guest that fails"]
fn loads_a_fixture_that_is_not_there(_db: PgPool) {}

#[integration(postgres(migrations = "./nowhere"))]
#[ignore = "a guest that fails"]
fn migrates_from_nowhere(_db: PgPool) {}

#[integration(postgres(fixtures("copies")))]
#[ignore = "a guest that fails"]
fn copies_rows_like_psql(_db: PgPool) {}

#[integration(postgres(fixtures("restricts")))]
#[ignore = "a guest that fails"]
fn restricts_like_psql(_db: PgPool) {}

#[integration(postgres(migrations = "./tests/postgres_templates/dump"))]
#[ignore = "a guest that fails"]
fn empties_the_search_path(_db: PgPool) {}

#[integration(postgres(setup = |_: PgPool| async { Err::<(), _>("in vain") }))]
#[ignore = "a guest that fails"]
fn sets_up_in_vain(_db: PgPool) {}

/// As a task does that goes on after the function has ended.
async fn keeps_a_connection(db: PgPool) -> sqlx::Result<()> {
    std::mem::forget(db.acquire().await?);
    Ok(())
}

#[integration(postgres(setup = keeps_a_connection), timeout = "30s")]
async fn a_connection_that_setup_keeps_holds_nobody_up(db: PgPool) -> anyhow::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await?;
    Ok(())
}

/// `CREATE DATABASE … TEMPLATE` wouldn't copy them.
async fn sets_its_database(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "DO $$ BEGIN
           EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database());
           EXECUTE format('ALTER DATABASE %I SET application_name = %L', current_database(), 'it''s');
         END $$; CREATE SCHEMA app",
    )
    .execute(&db)
    .await
    .map(drop)
}

#[integration(postgres(setup = sets_its_database))]
async fn a_templates_database_settings_hold_in_its_slices(db: PgPool) -> sqlx::Result<()> {
    let shown: (String, String) =
        sqlx::query_as("SELECT current_setting('search_path'), current_setting('application_name')")
            .fetch_one(&db)
            .await?;
    assert_eq!(shown, ("app, public".to_owned(), "it's".to_owned()));
    Ok(())
}

async fn many_sequences(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("DO $$ BEGIN FOR i IN 1..4000 LOOP EXECUTE format('CREATE SEQUENCE s%s', i); END LOOP; END $$")
        .execute(&db)
        .await
        .map(drop)
}

#[integration(postgres(setup = many_sequences))]
#[ignore = "a guest"]
async fn moves_one_of_many_sequences(db: PgPool) -> anyhow::Result<()> {
    let next: i64 = sqlx::query_scalar("SELECT nextval('s2000')").fetch_one(&db).await?;
    assert_eq!(next, 1);
    Ok(())
}

/// Their number squared would take longer than a guest may.
#[tokio::test]
async fn thousands_of_sequences_are_put_back_in_time() {
    let guests = Guests::new();
    for _ in 0..3 {
        guests.pass("moves_one_of_many_sequences").await;
    }
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[integration(postgres(
    migrations = "./tests/migrations",
    fixtures("no_search_path", "rooms", "byte_order_mark")
))]
async fn each_fixture_has_a_session_of_its_own(db: PgPool) -> anyhow::Result<()> {
    let rooms: i64 = sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(&db).await?;
    assert_eq!(rooms, 3);
    Ok(())
}

#[tokio::test]
async fn a_fixture_that_never_commits_is_an_error() {
    let guests = Guests::new();
    let said = guests.fail("loads_a_fixture_that_never_commits").await;
    let file = folder("tests/fixtures/never_commits.sql");
    for part in [
        format!("the fixture {} leaves a transaction open", file.display()).as_str(),
        "hint: end the file with `COMMIT`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("never_commits")))]
#[ignore = "a guest that fails"]
fn loads_a_fixture_that_never_commits(_db: PgPool) {}
