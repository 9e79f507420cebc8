//! Templates outlive the server that they were built on: the next cold start finds them, and nothing else of what was there.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use itest::integration;
use rustix::process::Signal;
use sqlx::PgPool;
use support::notes::note;
use support::{Guests, folder};
use tempfile::TempDir;

/// Names the folder with the guests' migrations.
const MIGRATIONS: &str = "KEPT_MIGRATIONS";

fn migrations() -> String {
    std::env::var(MIGRATIONS).unwrap_or_else(|_| "./tests/migrations".to_owned())
}

async fn note_that_it_is_built(db: PgPool) -> sqlx::Result<()> {
    note("built", "once more");
    sqlx::raw_sql(
        "CREATE TABLE seats (id serial, color text); INSERT INTO seats (color) SELECT 'grey' FROM generate_series(1, 20);
         ALTER ROLE CURRENT_USER SET statement_timeout = '77s';
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$",
    )
    .execute(&db)
    .await
    .map(drop)
}

#[integration(postgres(migrations = migrations(), setup = note_that_it_is_built))]
#[ignore = "a guest"]
async fn uses_its_template(db: PgPool) -> anyhow::Result<()> {
    let seats: Vec<(i32, String)> = sqlx::query_as("SELECT id, color FROM seats ORDER BY id")
        .fetch_all(&db)
        .await?;
    let expected: Vec<_> = (1..=20).map(|id| (id, "grey".to_owned())).collect();
    assert_eq!(seats, expected);
    let setting: String = sqlx::query_scalar("SHOW work_mem").fetch_one(&db).await?;
    assert_eq!(setting, "5MB");
    let setting: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&db).await?;
    assert_eq!(setting, "77s");
    let next: i32 = sqlx::query_scalar("INSERT INTO seats (color) VALUES ('red') RETURNING id")
        .fetch_one(&db)
        .await?;
    assert_eq!(next, 21);
    sqlx::query("UPDATE seats SET color = 'blue' WHERE id < 5")
        .execute(&db)
        .await?;
    sqlx::query("CREATE TABLE more (id int)").execute(&db).await?;
    let (columns, templates): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'),
                (SELECT count(*) FROM pg_database WHERE datistemplate AND oid >= 16384)",
    )
    .fetch_one(&db)
    .await?;
    note("columns", columns);
    note("templates", templates);
    let (databases, roles): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM pg_database WHERE NOT datistemplate AND datname !~ '_b[0-9]+$'), (SELECT count(*) FROM pg_roles WHERE oid >= 16384)",
    )
    .fetch_one(&db)
    .await?;
    note("things", format!("{databases} databases, {roles} roles"));
    Ok(())
}

#[integration(postgres)]
#[ignore = "a guest"]
async fn uses_no_template(db: PgPool) -> anyhow::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await?;
    Ok(())
}

/// A house in which templates are kept.
struct House {
    guests: Guests,
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::keeping("1h")
    }

    fn keeping(keep: &str) -> Self {
        let house = tempfile::Builder::new().prefix("kept-").tempdir().unwrap();
        let migrations = house.path().join("migrations");
        fs::create_dir(&migrations).unwrap();
        for file in fs::read_dir(folder("tests/migrations")).unwrap().flatten() {
            fs::copy(file.path(), migrations.join(file.file_name())).unwrap();
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let guests = Guests::new()
            .with("ITEST_POSTGRES_PROVIDER", "native")
            .with("ITEST_KEEP_TEMPLATES", keep)
            .with("ITEST_CACHE_DIR", text(&house.path().join("cache")))
            .with(MIGRATIONS, text(&migrations));
        Self { guests, folder: house }
    }

    fn add_migration(&self, sql: &str) {
        let path = self.folder.path().join("migrations/20300101000000_more.sql");
        fs::write(path, sql).unwrap();
    }

    /// The folders that servers have left.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("cache"))
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.path());
        names
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().split('-').count() > 2)
            })
            .collect()
    }

    /// One run, with a supervisor of its own.
    async fn run(&self) {
        self.guests.pass("uses_its_template").await;
        self.guests.end_supervisors(Signal::TERM).await;
    }

    fn built(&self) -> usize {
        self.guests.notes("built").len()
    }

    fn last(&self, heading: &str) -> String {
        self.guests.notes(heading).pop().unwrap_or_default()
    }
}

#[tokio::test]
async fn the_next_cold_start_needs_no_migrations() {
    let house = House::new();
    house.run().await;
    let first = house.last("things");
    for _ in 0..3 {
        house.run().await;
        assert_eq!(house.built(), 1);
        assert_eq!(house.last("things"), first, "nothing but the template was kept");
    }
    assert_eq!(house.kept().len(), 1, "{:?}", house.kept());

    // Clones of a kept template are recycled as any others.
    for _ in 0..4 {
        house.guests.pass("uses_its_template").await;
    }
    assert_eq!(house.built(), 1);
    house.guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn a_template_that_changes_between_two_runs_replaces_the_old_one() {
    let house = House::new();
    house.run().await;
    let columns: i64 = house.last("columns").parse().unwrap();
    house.add_migration("CREATE TABLE attic (size int)");
    house.run().await;
    assert_eq!(house.built(), 2);
    house.run().await;
    assert_eq!(house.built(), 2);
    assert_eq!(house.last("columns"), (columns + 1).to_string());
    assert_eq!(
        house.last("templates"),
        "2",
        "that of the migrations, and that of the function upon it"
    );
}

#[tokio::test]
async fn a_run_without_templates_takes_none_away() {
    let house = House::new();
    house.run().await;
    house.guests.pass("uses_no_template").await;
    house.guests.end_supervisors(Signal::TERM).await;
    house.run().await;
    assert_eq!(house.built(), 1);
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_none() {
    let house = House::new();
    house.guests.pass("uses_its_template").await;
    house.guests.end_supervisors(Signal::KILL).await;
    assert_eq!(house.kept(), Vec::<PathBuf>::new());
    house.run().await;
    assert_eq!(house.built(), 2);
}

#[tokio::test]
async fn kept_data_that_is_damaged_is_made_anew() {
    let house = House::new();
    house.run().await;
    for damaged in ["global/pg_control", "PG_VERSION", "the archive itself"] {
        let [kept] = &house.kept()[..] else {
            panic!("{:?}", house.kept());
        };
        let mut archive = fs::read(kept).unwrap();
        // A file's content follows its header, which begins with its name.
        let name = [damaged.as_bytes(), b"\0"].concat();
        let header = archive.chunks(512).position(|block| block.starts_with(&name));
        let content = header.map_or(0, |header| (header + 1) * 512);
        archive[content..][..300].fill(b'x');
        fs::write(kept, archive).unwrap();
        let before = house.built();
        house.run().await;
        assert_eq!(house.built(), before + 1, "{damaged}");
        house.run().await;
        assert_eq!(house.built(), before + 1, "{damaged}");
    }
}

#[tokio::test]
async fn none_is_kept_for_longer_than_was_asked_for() {
    let off = House::keeping("0");
    off.run().await;
    off.run().await;
    assert_eq!((off.built(), off.kept()), (2, Vec::new()));

    let short = House::keeping("1s");
    short.run().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    short.run().await;
    assert_eq!(short.built(), 2);
}

async fn unlogged_rows(db: PgPool) -> sqlx::Result<()> {
    note("built", "with unlogged rows");
    sqlx::raw_sql("CREATE UNLOGGED TABLE hits AS SELECT generate_series(1, 5) AS id; CREATE TABLE visits (id int)")
        .execute(&db)
        .await
        .map(drop)
}

async fn finds_what_was_built(db: &PgPool) -> anyhow::Result<()> {
    let found: (i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM hits), (SELECT count(*) FROM visits)")
        .fetch_one(db)
        .await?;
    assert_eq!(found, (5, 0));
    sqlx::raw_sql("INSERT INTO visits VALUES (1); INSERT INTO hits VALUES (6)")
        .execute(db)
        .await?;
    Ok(())
}

/// As the OOM killer does.
async fn kills_its_backend(db: PgPool) -> anyhow::Result<()> {
    finds_what_was_built(&db).await?;
    let mut other = db.acquire().await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&db).await?;
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, Signal::KILL)?;
    // The next test would see how the server ends: this one ends when that has begun.
    support::wait_for("the server ends all sessions", async || {
        let answered = sqlx::query("SELECT 1").execute(&mut *other).await;
        anyhow::ensure!(answered.is_err(), "it answers");
        Ok(())
    })
    .await;
    Ok(())
}

#[integration(postgres(setup = unlogged_rows))]
#[ignore = "a guest"]
async fn finds_what_was_built_where_a_crash_ends_the_server(db: PgPool) -> anyhow::Result<()> {
    finds_what_was_built(&db).await
}

#[integration(postgres(setup = unlogged_rows))]
#[ignore = "a guest"]
async fn kills_its_backend_where_a_crash_ends_the_server(db: PgPool) -> anyhow::Result<()> {
    kills_its_backend(db).await
}

#[integration(postgres(setup = unlogged_rows, settings("restart_after_crash=on")))]
#[ignore = "a guest"]
async fn finds_what_was_built_where_the_server_starts_anew(db: PgPool) -> anyhow::Result<()> {
    finds_what_was_built(&db).await
}

#[integration(postgres(setup = unlogged_rows, settings("restart_after_crash=on")))]
#[ignore = "a guest"]
async fn kills_its_backend_where_the_server_starts_anew(db: PgPool) -> anyhow::Result<()> {
    kills_its_backend(db).await
}

#[tokio::test]
async fn nothing_of_a_server_that_lost_a_backend_is_used_again() {
    for kind in ["where_a_crash_ends_the_server", "where_the_server_starts_anew"] {
        let house = House::new();
        let finds = format!("finds_what_was_built_{kind}");
        house.guests.pass_together(&[&finds, &finds, &finds]).await;
        house.guests.pass(&format!("kills_its_backend_{kind}")).await;
        for _ in 0..4 {
            house.guests.pass_together(&[&finds, &finds]).await;
        }
        assert_eq!(
            house.guests.notes("built").len(),
            2,
            "once before and once after ({kind})"
        );
        house.guests.end_supervisors(Signal::TERM).await;
        house.guests.pass(&finds).await;
        house.guests.end_supervisors(Signal::TERM).await;
    }
}
