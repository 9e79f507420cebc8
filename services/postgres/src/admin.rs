//! What the supervisor does on a server, by SQL.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use itest_runtime::{Context, Error, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};

use super::failed;

/// How often a condition is looked at that the server doesn't announce.
const LOOK: Duration = Duration::from_millis(1);
/// How long a backend may take to end after it was told to.
const ENDS: Duration = Duration::from_secs(20);
/// How long to wait for a lock: a client that changed its own password in a transaction which it never ends would keep its
/// role from being renamed for ever.
const LOCKED: Duration = Duration::from_secs(5);

/// Connections of the supervisor's own.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    pool: PgPool,
    options: PgConnectOptions,
}

/// What the supervisor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) superuser: bool,
    pub(super) create_databases: bool,
    pub(super) major: i32,
}

impl Admin {
    /// On somebody else's server (`is_external`) a session may end at any time, and is looked at before it is used again.
    pub(super) async fn connect(options: PgConnectOptions, owner: &str, is_external: bool) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_mins(1))
            .test_before_acquire(is_external)
            .after_connect(|connection, _| Box::pin(async move { bound_locks(connection, LOCKED).await }));
        let options = options.application_name(&sign_of_life(owner));
        // The pool would try for long: the first connection says what is wrong at once.
        let first = PgConnection::connect_with(&options);
        drop(first.await.map_err(|error| refused(&error, is_external))?);
        let pool = pool
            .connect_with(options.clone())
            .await
            .context(|| "failed to connect")?;
        Ok(Self { pool, options })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Options for a connection of the supervisor's own to another database.
    pub(super) fn options_in(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    /// Since when the server runs, and since when it counts: the latter is anew after each crash, which the former isn't.
    pub(super) async fn era(&self) -> Result<String> {
        let query = || {
            sqlx::query_scalar(
                "SELECT concat_ws(' ', pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time())",
            )
            .fetch_one(&self.pool)
        };
        // A restart has broken the pool's connections, and the server may turn new ones away for a moment.
        let deadline = Instant::now() + ENDS;
        loop {
            match query().await {
                Ok(era) => return Ok(era),
                Err(error) if Instant::now() > deadline || is_not_there(&error) => {
                    return Err(Error::caused("failed to look whether the server was restarted", &error));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    pub(super) async fn rights(&self) -> Result<Rights> {
        let (superuser, create_databases, major) = sqlx::query_as(
            "SELECT rolsuper, rolsuper OR rolcreatedb, current_setting('server_version_num')::int / 10000
             FROM pg_roles WHERE rolname = current_user",
        )
        .fetch_one(&self.pool)
        .await
        .context(|| "failed to look up what the server lets us do")?;
        Ok(Rights {
            superuser,
            create_databases,
            major,
        })
    }

    /// Runs statements that are made of names that are ours, or quoted by [`ident`] and [`literal`].
    pub(super) async fn run(&self, wanted: &str, sql: String) -> Result<()> {
        self.pool
            .execute(AssertSqlSafe(sql).into_raw())
            .await
            .map(drop)
            .map_err(|error| failed(wanted, &error))
    }

    /// Ends everybody's sessions in a database, and waits until they are gone.
    pub(super) async fn end_sessions(&self, database: &str) -> Result<()> {
        let connection = self.pool.acquire().await;
        let mut connection = connection.context(|| "failed to connect")?;
        end_other_sessions(&mut connection, database).await
    }

    /// Makes a database of a template. Somebody who is just leaving the template is waited for.
    pub(super) async fn create_database(&self, name: &str, template: &str, options: &str) -> Result<()> {
        let deadline = Instant::now() + ENDS;
        loop {
            let sql = format!("CREATE DATABASE {} TEMPLATE {} {options}", ident(name), ident(template));
            match self.pool.execute(AssertSqlSafe(sql).into_raw()).await {
                Ok(_) => return Ok(()),
                Err(error) if is_in_use(&error) && Instant::now() < deadline => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(failed(&format!("failed to make the database {name}"), &error)),
            }
        }
    }

    /// Vacuums what all databases share and our names of roles and databases change. Somebody else's server may not let us, and
    /// does it itself.
    pub(super) async fn vacuum_shared(&self) {
        let sql = "VACUUM pg_authid, pg_auth_members, pg_database, pg_shdepend, pg_db_role_setting";
        if let Err(error) = self.run("failed to vacuum", sql.to_owned()).await {
            tracing::debug!(%error, "what all databases share was not vacuumed");
        }
    }

    /// Ends a database's sessions, then drops it. `WITH (FORCE)` would poll at 100 ms steps.
    pub(super) async fn drop_database(&self, name: &str) -> Result<()> {
        let deadline = Instant::now() + ENDS;
        loop {
            self.end_sessions(name).await?;
            self.roll_back_prepared(name).await?;
            let sql = format!("DROP DATABASE IF EXISTS {}", ident(name));
            match self.pool.execute(AssertSqlSafe(sql).into_raw()).await {
                Ok(_) => return Ok(()),
                Err(error) if is_in_use(&error) && Instant::now() < deadline => {}
                // Its owner may have made it one.
                Err(error) if has_code(&error, "42809") && Instant::now() < deadline => {
                    let freed = format!("ALTER DATABASE {} WITH IS_TEMPLATE false", ident(name));
                    self.run("failed to free a database that was made a template", freed)
                        .await?;
                }
                Err(error) => return Err(failed(&format!("failed to drop the database {name}"), &error)),
            }
        }
    }

    /// Rolls back what a test left prepared for a commit in two phases: it outlives its session, and holds the database.
    async fn roll_back_prepared(&self, database: &str) -> Result<()> {
        let left: Vec<String> = sqlx::query_scalar("SELECT gid FROM pg_prepared_xacts WHERE database = $1")
            .bind(database)
            .fetch_all(&self.pool)
            .await
            .context(|| "failed to look for prepared transactions")?;
        if left.is_empty() {
            return Ok(());
        }
        let opened = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", ident(database));
        self.run("failed to open a database with prepared transactions", opened)
            .await?;
        let mut connection = PgConnection::connect_with(&self.options_in(database))
            .await
            .context(|| "failed to connect to a database with prepared transactions")?;
        for transaction in left {
            let sql = format!("ROLLBACK PREPARED {}", literal(&transaction));
            // Somebody may have ended it meanwhile; if not, the database can't be dropped, and says why.
            let _ = connection.execute(AssertSqlSafe(sql).into_raw()).await;
        }
        let _ = connection.close().await;
        Ok(())
    }
}

/// A client with an open `ALTER ROLE` of its own must not hold the supervisor up for ever. And no server ends our sessions for
/// being idle (the setting exists from PostgreSQL 14 on): one of them is the sign that we live.
pub(super) async fn bound_locks(connection: &mut PgConnection, limit: Duration) -> sqlx::Result<()> {
    let bounded = format!(
        "SET lock_timeout = {}; SELECT CASE WHEN pg_catalog.current_setting('idle_session_timeout', true) OPERATOR(pg_catalog.<>) '0'
           THEN pg_catalog.set_config('idle_session_timeout', '0', false) END",
        limit.as_millis()
    );
    connection.execute(AssertSqlSafe(bounded).into_raw()).await.map(drop)
}

/// The query that ends all sessions in a database but the caller's own, and counts those that were there. The view
/// `pg_stat_activity` would join two catalogs to say the same.
pub(super) fn end_others(database: &str) -> String {
    format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_get_activity(NULL)
         WHERE datid = (SELECT oid FROM pg_database WHERE datname = {}) AND pid <> pg_backend_pid()",
        literal(database)
    )
}

/// Ends all sessions in a database but the caller's own, and waits until they are gone.
pub(super) async fn end_other_sessions(own: &mut PgConnection, database: &str) -> Result<()> {
    let deadline = Instant::now() + ENDS;
    loop {
        let left: i64 = sqlx::raw_sql(AssertSqlSafe(end_others(database)))
            .fetch_one(&mut *own)
            .await
            .and_then(|row| row.try_get(0))
            .context(|| "failed to end a database's sessions")?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "{left} sessions in the database {database} don't end"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// One of our own servers may be just starting.
fn refused(error: &sqlx::Error, is_external: bool) -> Error {
    let failed = Error::caused("failed to connect", error);
    if !is_external {
        return failed;
    }
    let wants_tls = error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("28000") && error.message().ends_with("no encryption"));
    if wants_tls || matches!(error, sqlx::Error::Tls(said) if said.to_string().contains("without TLS support")) {
        return failed.hint(
            "sqlx speaks TLS with one of its features: `sqlx = { version = \"0.9\", features = [\"tls-rustls\"] }` (or \
             `tls-native-tls`) beside itest in Cargo.toml; `sslmode` in the URL says whether it is used",
        )
        .permanent();
    }
    if has_code(error, "28P01") {
        return failed.hint(
            "the password is the URL's, else that of PGPASSWORD, of the file that PGPASSFILE names, or of ~/.pgpass; the user \
             is the URL's, else that of PGUSER",
        )
        .permanent();
    }
    failed
}

trait IntoRaw {
    fn into_raw(self) -> sqlx::RawSql;
}

impl IntoRaw for AssertSqlSafe<String> {
    fn into_raw(self) -> sqlx::RawSql {
        sqlx::raw_sql(self)
    }
}

/// The application name of a living supervisor's sessions.
pub(super) fn sign_of_life(owner: &str) -> String {
    format!("itest:{owner}")
}

/// Whether nobody listens.
fn is_not_there(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&error.kind()))
}

/// `object_in_use`: someone is connected.
fn is_in_use(error: &sqlx::Error) -> bool {
    has_code(error, "55006")
}

/// `lock_not_available`: someone has held it for as long as was waited.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    has_code(error, "55P03")
}

fn has_code(error: &sqlx::Error, wanted: &str) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code().map(|code| code == wanted))
        .unwrap_or(false)
}

pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
