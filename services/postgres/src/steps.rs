//! What a template is made of, and how it is made, in the test's process.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use itest_runtime::service::{Outcome, TestContext, Verdict};
use itest_runtime::spec::{Fingerprint, FingerprintBuilder};
use itest_runtime::{Context, Error, Result};
use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::locate::locate;
use super::{dialect, failed};

#[derive(Clone)]
pub(super) enum Step {
    Migrations(String),
    Migrator(&'static Migrator),
    Fixture(String),
    Setup {
        name: &'static str,
        function: SetupFunction,
    },
}

type SetupFunction = Arc<dyn Fn(PgPool) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

impl Step {
    pub(super) fn setup<F, R, O>(function: F) -> Self
    where
        F: Fn(PgPool) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        let name = type_name::<F>();
        let function = move |pool| {
            let made = function(pool);
            let failed = move || format!("the setup function `{name}` failed");
            // The tests that wait for the template are told of a panic, too.
            let ended = AssertUnwindSafe(async move { result(made.await, &failed()) }).catch_unwind();
            let ended = ended.map(move |ended| {
                ended.unwrap_or_else(|panic| Err(Error::new(panicked(panic.as_ref())).context(failed())))
            });
            Box::pin(ended) as Pin<Box<dyn Future<Output = Result<()>> + Send>>
        };
        Self::Setup {
            name,
            function: Arc::new(function),
        }
    }
}

/// What `Debug` shows of sqlx's errors is for those who know its inside.
fn result<O: Outcome + 'static>(outcome: O, wanted: &str) -> Result<()> {
    let any: &dyn Any = &outcome;
    if let Some(Err(error)) = any.downcast_ref::<Result<(), sqlx::Error>>() {
        return Err(failed(wanted, error));
    }
    if let Some(Err(error)) = any.downcast_ref::<Result<(), MigrateError>>() {
        return Err(Error::caused(wanted, error));
    }
    if let Some(Err(error)) = any.downcast_ref::<Result<(), Box<dyn StdError>>>() {
        return Err(Error::caused(wanted, &**error));
    }
    if let Some(Err(error)) = any.downcast_ref::<Result<(), Box<dyn StdError + Send + Sync>>>() {
        return Err(Error::caused(wanted, &**error));
    }
    match outcome.verdict() {
        Verdict::Passed => Ok(()),
        Verdict::Failed(message) => Err(Error::new(message).context(wanted)),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("(with a value that is not text)"))
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrations(folder) => f.debug_tuple("Migrations").field(folder).finish(),
            Self::Migrator(migrator) => write!(f, "Migrator({:p})", *migrator),
            Self::Fixture(name) => f.debug_tuple("Fixture").field(name).finish(),
            Self::Setup { name, .. } => f.debug_tuple("Setup").field(name).finish(),
        }
    }
}

/// What the content of a template comes from, by name: it stays the same while that changes.
pub(super) fn source(steps: &[Step], test: &TestContext) -> Option<Fingerprint> {
    let mut source = FingerprintBuilder::new("postgres source");
    for step in steps {
        match step {
            Step::Migrations(folder) => source.json(&("migrations", &test.package_dir, folder)),
            Step::Migrator(migrator) => source.json(&("migrator", &test.package_dir, &migrator.table_name)),
            Step::Fixture(name) => source.json(&("fixture", &test.source_file, name)),
            Step::Setup { name, .. } => source.json(&("setup", name)),
        };
    }
    (!steps.is_empty()).then(|| source.finish())
}

/// What a process has found once holds for all its tests: reading every migration for each takes longer than leasing a slice.
pub(super) fn fingerprint(steps: &[Step], test: &TestContext) -> Result<Option<Fingerprint>> {
    static KNOWN: Mutex<BTreeMap<String, Fingerprint>> = Mutex::new(BTreeMap::new());
    if steps.is_empty() {
        return Ok(None);
    }
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!(
        "{steps:?} {} {}",
        test.package_dir.display(),
        test.source_file.display()
    );
    if let Some(known) = known().get(&key) {
        return Ok(Some(known.clone()));
    }
    let found = read_fingerprint(steps, test)?;
    known().insert(key, found.clone());
    Ok(Some(found))
}

/// Covers everything that shapes the content: files by what is in them, code by the binary it is in.
fn read_fingerprint(steps: &[Step], test: &TestContext) -> Result<Fingerprint> {
    let mut content = FingerprintBuilder::new("postgres template");
    content.text(crate::CODE);
    // sqlx hands it on with each connection, so a builder's settings may come from it.
    content.bytes(std::env::var_os("PGOPTIONS").unwrap_or_default().as_encoded_bytes());
    for step in steps {
        match step {
            Step::Migrations(folder) => {
                content.text("migrations");
                for path in migration_files(&test.package_dir.join(folder))? {
                    content.text(&path.file_name().unwrap_or_default().to_string_lossy());
                    content.bytes(&read(&path)?);
                }
            }
            Step::Migrator(migrator) => {
                content
                    .text("migrator")
                    .text(&migrator.table_name)
                    .json(&migrator.create_schemas);
                for migration in migrator.iter() {
                    content
                        .text(&migration.version.to_string())
                        .text(&migration.description)
                        .bytes(&migration.checksum);
                }
            }
            Step::Fixture(name) => {
                content
                    .text("fixture")
                    .text(name)
                    .bytes(&read(&fixture_path(name, test)?)?);
            }
            Step::Setup { name, .. } => {
                content.text("setup").text(name).json(&test.binary);
            }
        }
    }
    Ok(content.finish())
}

/// On which connections fixture files run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sessions {
    /// Each on one of its own, so that what a file sets for its session ends with it.
    Own,
    /// All on the pool's only one.
    One,
}

/// Runs all steps; the pool's connections may do anything in the blank slice.
pub(super) async fn run(steps: &[Step], test: &TestContext, pool: &PgPool, sessions: Sessions) -> Result<()> {
    for step in steps {
        match step {
            Step::Migrations(folder) => migrate_folder(&test.package_dir.join(folder), pool).await?,
            Step::Migrator(migrator) => migrate(migrator, pool, None).await?,
            Step::Fixture(name) => load_fixture(&fixture_path(name, test)?, pool, sessions).await?,
            Step::Setup { function, .. } => function(pool.clone()).await?,
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context(|| format!("failed to read {}", path.display()))
}

fn migration_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context(|| format!("failed to read the migrations in {}", folder.display()));
    let entries = entries.map_err(|error| {
        error.hint("`migrations = \"…\"` is a folder relative to the package, the one with the test's Cargo.toml")
    })?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    Ok(files)
}

async fn migrate_folder(folder: &Path, pool: &PgPool) -> Result<()> {
    let migrator = Migrator::new(folder)
        .await
        .context(|| format!("failed to read the migrations in {}", folder.display()))?;
    migrate(&migrator, pool, Some(folder)).await
}

/// The blank slice is the builder's alone, so no lock is needed; taking it would keep a transaction's connection busy.
async fn migrate(migrator: &Migrator, pool: &PgPool, folder: Option<&Path>) -> Result<()> {
    let unlocked = Migrator {
        migrations: migrator.migrations.clone(),
        table_name: migrator.table_name.clone(),
        create_schemas: migrator.create_schemas.clone(),
        locking: false,
        ..*migrator
    };
    for migration in unlocked.iter() {
        let what = || format!("the migration {}", name_of(migration.version, folder));
        dialect::check(what, migration.sql.as_str())?;
    }
    match unlocked.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::ExecuteMigration(error, version)) => {
            let migration = unlocked.iter().find(|migration| migration.version == version);
            Err(migration_failed(&error, version, migration, folder, pool).await)
        }
        Err(MigrateError::Execute(error)) => Err(record_failed(&error, &unlocked, folder)),
        Err(error) => Err(Error::caused("failed to migrate", &error)),
    }
}

/// What a migration did to its session may keep sqlx from noting that it ran.
fn record_failed(error: &sqlx::Error, migrator: &Migrator, folder: Option<&Path>) -> Error {
    let failed = failed("failed to migrate", error);
    let is_lost = failed.to_string().contains(&*migrator.table_name);
    let mut emptied = migrator
        .iter()
        .filter(|migration| dialect::empties_search_path(migration.sql.as_str()));
    match emptied.next() {
        Some(migration) if is_lost => failed
            .context(format!(
                "the migration {} leaves an empty search_path behind, and sqlx doesn't find its own table then",
                name_of(migration.version, folder)
            ))
            .hint("put `RESET search_path;` at its end, or take out what `pg_dump` wrote to empty it"),
        Some(_) | None => failed,
    }
}

/// The file of a migration, or its version.
fn name_of(version: i64, folder: Option<&Path>) -> String {
    folder
        .and_then(|folder| migration_files(folder).ok())
        .into_iter()
        .flatten()
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.split('_').next().and_then(|start| start.parse::<i64>().ok()) == Some(version)
        })
        .map_or_else(|| format!("version {version}"), |path| path.display().to_string())
}

async fn migration_failed(
    error: &sqlx::Error,
    version: i64,
    migration: Option<&Migration>,
    folder: Option<&Path>,
    pool: &PgPool,
) -> Error {
    let file = name_of(version, folder);
    let sql = migration
        .map(|migration| migration.sql.as_str().to_owned())
        .unwrap_or_default();
    locate(&format!("the migration {file} failed"), &sql, error, pool).await
}

fn fixture_path(name: &str, test: &TestContext) -> Result<PathBuf> {
    let folder = test.source_file.parent().unwrap_or(&test.package_dir);
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "sql");
    let path = if is_path {
        folder.join(name)
    } else {
        folder.join("fixtures").join(format!("{name}.sql"))
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(
        Error::new(format!("the fixture `{name}` is not there: {}", path.display()))
            .hint("`fixtures(\"users\")` is the file fixtures/users.sql next to the test's own file"),
    )
}

async fn load_fixture(path: &Path, pool: &PgPool, sessions: Sessions) -> Result<()> {
    let sql = String::from_utf8(read(path)?).context(|| format!("{} is not valid UTF-8", path.display()))?;
    // Some editors write a byte order mark, which no server understands.
    let sql = sql.trim_start_matches('\u{feff}');
    dialect::check(|| format!("the fixture {}", path.display()), sql)?;
    let statements = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    let outcome = match sessions {
        Sessions::One => statements.execute(pool).await.map(|_| false),
        Sessions::Own => run_in_own_session(statements, pool).await,
    };
    match outcome {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::new(format!(
            "the fixture {} leaves a transaction open, so nothing of it would stay",
            path.display()
        ))
        .hint("end the file with `COMMIT`, or take its `BEGIN` out: it needs none")),
        Err(error) => Err(locate(&format!("the fixture {} failed", path.display()), sql, &error, pool).await),
    }
}

/// Tells whether a transaction was left open.
async fn run_in_own_session(statements: sqlx::RawSql, pool: &PgPool) -> sqlx::Result<bool> {
    let mut session = PgConnection::connect_with(&pool.connect_options()).await?;
    statements.execute(&mut session).await?;
    // Only within a transaction can one be made.
    let is_open = sqlx::raw_sql("SAVEPOINT itest").execute(&mut session).await.is_ok();
    session.close().await?;
    Ok(is_open)
}
