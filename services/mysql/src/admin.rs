//! The supervisor's own connections.

use std::time::Duration;

use itest_runtime::{Context, Error, Result};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, MySql, MySqlPool};

use super::failed;

/// How many connections there are at most.
const CONNECTIONS: u32 = 4;
/// How long clients of a lease that has ended may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(1);

/// Whoever may do everything.
#[derive(Debug)]
pub(super) struct Admin {
    pool: MySqlPool,
    owner: String,
}

impl Admin {
    pub(super) async fn connect(options: MySqlConnectOptions, owner: &str) -> Result<Self> {
        let pool = MySqlPoolOptions::new()
            .max_connections(CONNECTIONS)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // A client that is in the middle of something holds locks until it is gone; and a day is not too long for us.
                    let own =
                        "SET lock_wait_timeout = 30, wait_timeout = 2147483, foreign_key_checks = 0, unique_checks = 0";
                    sqlx::raw_sql(own).execute(connection).await.map(drop)
                })
            })
            .connect_with(options)
            .await
            .context(|| "failed to connect")?;
        Ok(Self {
            pool,
            owner: owner.to_owned(),
        })
    }

    /// Whose they are.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    pub(super) fn pool(&self) -> &MySqlPool {
        &self.pool
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<MySql>> {
        self.pool.acquire().await.context(|| "failed to connect")
    }

    /// Runs statements.
    pub(super) async fn run(&self, wanted: &str, sql: String) -> Result<()> {
        let ran = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await;
        ran.map(drop).map_err(|error| failed(wanted, &error))
    }

    /// Removes a user: nobody gets in, and who is in gets out.
    pub(super) async fn drop_user(&self, user: &str) -> Result<()> {
        let dropped = format!("DROP USER IF EXISTS {}", account(user));
        self.run("failed to remove a user", dropped).await?;
        self.end_sessions(user).await
    }

    async fn end_sessions(&self, user: &str) -> Result<()> {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let sessions = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?";
            let sessions = sqlx::query_scalar::<_, i64>(sessions)
                .bind(user)
                .fetch_all(&self.pool)
                .await;
            let sessions = sessions.context(|| "failed to look for clients of a lease that has ended")?;
            if sessions.is_empty() {
                return Ok(());
            }
            if std::time::Instant::now() > deadline {
                return Err(Error::new(format!(
                    "{} clients of {user} can't be ended",
                    sessions.len()
                )));
            }
            for session in sessions {
                // It may be gone by now.
                let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {session}")))
                    .execute(&self.pool)
                    .await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Removes a database with its user. What can't be removed stays, and that is said.
    pub(super) async fn remove_slice(&self, database: &str) {
        let removed = async {
            self.drop_user(database).await?;
            self.drop_database(database).await
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, database, "a database could not be removed");
        }
    }

    async fn drop_database(&self, database: &str) -> Result<()> {
        let dropped = format!("DROP DATABASE IF EXISTS {}", ident(database));
        self.run("failed to remove a database", dropped).await
    }
}

/// A name.
pub(super) fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A user, from everywhere.
pub(super) fn account(user: &str) -> String {
    format!("{}@'%'", literal(user))
}

/// All of a database; in a name, `_` would stand for any character.
pub(super) fn all_of(database: &str) -> String {
    format!("{}.*", ident(&database.replace('_', "\\_")))
}
