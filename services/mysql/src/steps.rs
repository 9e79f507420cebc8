//! How the steps of a template are run, in the test's process.

use std::any::Any;
use std::path::PathBuf;

use itest_runtime::service::{Embedded, File, Folder, Step, TestContext};
use itest_runtime::spec::FingerprintBuilder;
use itest_runtime::{Context, Error, Result};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, MySqlPool};

use super::failed;

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

/// Runs these steps; the pool's connections may do anything in the blank slice.
pub(super) async fn run(
    steps: &[Step<MySqlPool, EmbeddedMigrator>],
    test: &TestContext,
    pool: &MySqlPool,
) -> Result<()> {
    for step in steps {
        match step {
            Step::Folder(folder) => migrate_folder(folder, test, pool).await?,
            Step::Embedded(migrator) => migrate(migrator.0, pool, None).await?,
            Step::File(file) => load_fixture(file, test, pool).await?,
            Step::Setup(setup) => setup.run(pool.clone()).await?,
        }
    }
    Ok(())
}

async fn migrate_folder(folder: &Folder, test: &TestContext, pool: &MySqlPool) -> Result<()> {
    let path = folder.path(test);
    let migrator = Migrator::new(path.as_path())
        .await
        .context(|| format!("failed to read the migrations in {}", path.display()))?;
    let files = folder.files(test)?;
    migrate(&migrator, pool, Some(&files)).await
}

/// The blank slice is the builder's alone, so no lock is needed; taking it would keep a transaction's connection busy.
async fn migrate(migrator: &Migrator, pool: &MySqlPool, files: Option<&[PathBuf]>) -> Result<()> {
    let unlocked = Migrator {
        migrations: migrator.migrations.clone(),
        table_name: migrator.table_name.clone(),
        create_schemas: migrator.create_schemas.clone(),
        locking: false,
        ..*migrator
    };
    for migration in unlocked.iter() {
        check(
            || format!("the migration {}", name_of(migration.version, files)),
            migration.sql.as_str(),
        )?;
    }
    match unlocked.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::ExecuteMigration(error, version)) => Err(failed(
            &format!("the migration {} failed", name_of(version, files)),
            &error,
        )),
        Err(error) => Err(Error::caused("failed to migrate", &error)),
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

async fn load_fixture(file: &File, test: &TestContext, pool: &MySqlPool) -> Result<()> {
    let (path, sql) = (file.path(test)?, file.text(test)?);
    check(|| format!("the fixture {}", path.display()), &sql)?;
    match run_in_own_session(&sql, pool).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::new(format!(
            "the fixture {} leaves a transaction open, so nothing of it would stay",
            path.display()
        ))
        .hint("end the file with `COMMIT`, or take its `START TRANSACTION` out: it needs none")),
        Err(error) => Err(failed(&format!("the fixture {} failed", path.display()), &error)),
    }
}

/// What a file sets for its session ends with it. Tells whether a transaction was left open.
async fn run_in_own_session(sql: &str, pool: &MySqlPool) -> sqlx::Result<bool> {
    let mut session = MySqlConnection::connect_with(&pool.connect_options()).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut session)
        .await?;
    let is_open: bool = sqlx::query_scalar("SELECT @@in_transaction = 1")
        .fetch_one(&mut session)
        .await?;
    session.close().await?;
    Ok(is_open)
}

/// What the command `mariadb` understands in a SQL file, and a server doesn't: said before it is run.
fn check(what: impl Fn() -> String, sql: &str) -> Result<()> {
    if sql.starts_with('\u{feff}') {
        return Err(Error::new(format!(
            "{} begins with a byte order mark, which the server takes for a part of the first word",
            what()
        ))
        .hint("save it as UTF-8 without one"));
    }
    let delimiter = |line: &str| {
        line.split_whitespace()
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("delimiter"))
    };
    match sql.lines().position(delimiter) {
        Some(at) => Err(Error::new(format!(
            "{} has `DELIMITER` in line {}, which is a command of the client `mariadb`, and not SQL",
            what(),
            at + 1
        ))
        .hint("take it out, and end each statement with `;`: the server knows by itself where a routine ends")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_client_understands_is_said() {
        let said = |sql| check(|| "a.sql".to_owned(), sql).expect_err("refused").to_string();
        assert!(said("SELECT 1;\ndelimiter //\n").contains("a.sql has `DELIMITER` in line 2"));
        assert!(said("\u{feff}SELECT 1").contains("byte order mark"));
        assert!(check(String::new, "SELECT 'delimiter'; -- no delimiter").is_ok());
    }
}
