//! How the steps of a template are run, in the test's process.

use std::any::Any;
use std::ffi::OsString;
use std::path::PathBuf;

use itest_runtime::service::{Embedded, File, Folder, Step, Steps, TemplateId, TestContext};
use itest_runtime::spec::FingerprintBuilder;
use itest_runtime::{Context, Error, Result};
use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::locate::locate;
use super::{dialect, failed};

/// Migrations that `sqlx::migrate!()` has put into the binary.
#[derive(Clone)]
pub(super) struct EmbeddedMigrator(pub(super) &'static Migrator);

impl std::fmt::Debug for EmbeddedMigrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Migrator({:p})", self.0)
    }
}

impl Embedded for EmbeddedMigrator {
    fn add_name(&self, source: &mut FingerprintBuilder) {
        source.text(&self.0.table_name);
    }

    fn add_content(&self, content: &mut FingerprintBuilder) {
        content.text(&self.0.table_name).json(&self.0.create_schemas);
        for migration in self.0.iter() {
            content
                .text(&migration.version.to_string())
                .text(&migration.description)
                .bytes(&migration.checksum);
        }
    }
}

/// Which template the steps make.
pub(super) fn template(steps: &Steps<PgPool, EmbeddedMigrator>, test: &TestContext) -> Result<Option<TemplateId>> {
    steps.template(test, &[crate::CODE.as_bytes(), options().as_encoded_bytes()])
}

/// Which template that one is made upon.
pub(super) fn base(steps: &Steps<PgPool, EmbeddedMigrator>, test: &TestContext) -> Result<Option<TemplateId>> {
    steps.base(test, &[crate::CODE.as_bytes(), options().as_encoded_bytes()])
}

/// sqlx hands it on with each connection, so a builder's settings may come from it.
fn options() -> OsString {
    std::env::var_os("PGOPTIONS").unwrap_or_default()
}

/// What `Debug` shows of sqlx's errors is for those who know its inside.
pub(super) fn plainly(wanted: &str, outcome: &dyn Any) -> Option<Error> {
    if let Some(Err(error)) = outcome.downcast_ref::<Result<(), sqlx::Error>>() {
        return Some(failed(wanted, error));
    }
    if let Some(Err(error)) = outcome.downcast_ref::<Result<(), MigrateError>>() {
        return Some(Error::caused(wanted, error));
    }
    None
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
pub(super) async fn run(
    steps: &[Step<PgPool, EmbeddedMigrator>],
    test: &TestContext,
    pool: &PgPool,
    sessions: Sessions,
) -> Result<()> {
    for step in steps {
        match step {
            Step::Folder(folder) => migrate_folder(folder, test, pool).await?,
            Step::Embedded(migrator) => migrate(migrator.0, pool, None).await?,
            Step::File(file) => load_fixture(file, test, pool, sessions).await?,
            Step::Setup(setup) => setup.run(pool.clone()).await?,
        }
    }
    Ok(())
}

async fn migrate_folder(folder: &Folder, test: &TestContext, pool: &PgPool) -> Result<()> {
    let path = folder.path(test);
    let migrator = Migrator::new(path.as_path())
        .await
        .context(|| format!("failed to read the migrations in {}", path.display()))?;
    let files = folder.files(test)?;
    migrate(&migrator, pool, Some(&files)).await
}

/// The blank slice is the builder's alone, so no lock is needed; taking it would keep a transaction's connection busy.
async fn migrate(migrator: &Migrator, pool: &PgPool, files: Option<&[PathBuf]>) -> Result<()> {
    let unlocked = Migrator {
        migrations: migrator.migrations.clone(),
        table_name: migrator.table_name.clone(),
        create_schemas: migrator.create_schemas.clone(),
        locking: false,
        ..*migrator
    };
    for migration in unlocked.iter() {
        let what = || format!("the migration {}", name_of(migration.version, files));
        dialect::check(what, migration.sql.as_str())?;
    }
    match unlocked.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::ExecuteMigration(error, version)) => {
            let migration = unlocked.iter().find(|migration| migration.version == version);
            Err(migration_failed(&error, version, migration, files, pool).await)
        }
        Err(MigrateError::Execute(error)) => Err(record_failed(&error, &unlocked, files)),
        Err(error) => Err(Error::caused("failed to migrate", &error)),
    }
}

/// What a migration did to its session may keep sqlx from noting that it ran.
fn record_failed(error: &sqlx::Error, migrator: &Migrator, files: Option<&[PathBuf]>) -> Error {
    let failed = failed("failed to migrate", error);
    let is_lost = failed.to_string().contains(&*migrator.table_name);
    let mut emptied = migrator
        .iter()
        .filter(|migration| dialect::empties_search_path(migration.sql.as_str()));
    match emptied.next() {
        Some(migration) if is_lost => failed
            .context(format!(
                "the migration {} leaves an empty search_path behind, and sqlx doesn't find its own table then",
                name_of(migration.version, files)
            ))
            .hint("put `RESET search_path;` at its end, or take out what `pg_dump` wrote to empty it"),
        Some(_) | None => failed,
    }
}

/// The file of a migration, or its version.
fn name_of(version: i64, files: Option<&[PathBuf]>) -> String {
    files
        .unwrap_or_default()
        .iter()
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
    files: Option<&[PathBuf]>,
    pool: &PgPool,
) -> Error {
    let file = name_of(version, files);
    let sql = migration
        .map(|migration| migration.sql.as_str().to_owned())
        .unwrap_or_default();
    locate(&format!("the migration {file} failed"), &sql, error, pool).await
}

async fn load_fixture(file: &File, test: &TestContext, pool: &PgPool, sessions: Sessions) -> Result<()> {
    let (path, sql) = (file.path(test)?, file.text(test)?);
    dialect::check(|| format!("the fixture {}", path.display()), &sql)?;
    let statements = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
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
        Err(error) => Err(locate(&format!("the fixture {} failed", path.display()), &sql, &error, pool).await),
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
