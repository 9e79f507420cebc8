//! Somebody else's server, which other machines may use at the same time.
//!
//! What we make there bears our name, `itest_OWNER_…`. A supervisor holds a named lock, `itest:OWNER`, as long as it lives: the server
//! lets go of it when the connection ends. Where nobody holds it, what is of that name may go.

use std::collections::BTreeSet;
use std::time::Duration;

use itest_runtime::service::{Sweepable, is_owner};
use itest_runtime::{Context, Result};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{Connection, MySqlConnection};
use tokio::task::JoinHandle;

use super::admin::Admin;

fn lock(owner: &str) -> String {
    format!("itest:{owner}")
}

/// How often a supervisor sees to it that it holds its lock.
const RENEWAL: Duration = Duration::from_secs(1);

/// Holds the lock that says that a supervisor lives: again, when the server has ended the session that did.
#[derive(Debug)]
pub(super) struct SignOfLife(JoinHandle<()>);

impl SignOfLife {
    pub(super) async fn give(options: &MySqlConnectOptions, owner: &str) -> Result<Self> {
        let mut holder = held(options, owner).await.context(|| "failed to connect")?;
        let (options, owner) = (options.clone(), owner.to_owned());
        Ok(Self(tokio::spawn(async move {
            loop {
                while holder.ping().await.is_ok() {
                    tokio::time::sleep(RENEWAL).await;
                }
                loop {
                    match held(&options, &owner).await {
                        Ok(again) => break holder = again,
                        Err(_) => tokio::time::sleep(RENEWAL).await,
                    }
                }
            }
        })))
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn held(options: &MySqlConnectOptions, owner: &str) -> sqlx::Result<MySqlConnection> {
    let mut session = MySqlConnection::connect_with(options).await?;
    sqlx::query("SELECT GET_LOCK(?, 0)")
        .bind(lock(owner))
        .execute(&mut session)
        .await?;
    Ok(session)
}

/// Databases, and the users of their names: a database goes last, so each that is left has one.
impl Sweepable for Admin {
    async fn owners(&self) -> Result<BTreeSet<String>> {
        let databases = databases(self).await?;
        let owners = databases.iter().filter_map(|database| owner_of(database));
        Ok(owners.map(str::to_owned).collect())
    }

    async fn living(&self) -> Result<BTreeSet<String>> {
        let mut living = BTreeSet::new();
        // Whoever has just begun has left nothing yet.
        let held = "SELECT IS_USED_LOCK(?) IS NOT NULL";
        let mut owners = self.owners().await?;
        owners.insert(self.owner().to_owned());
        for owner in owners {
            let lives: bool = sqlx::query_scalar(held)
                .bind(lock(&owner))
                .fetch_one(self.pool())
                .await
                .context(|| "failed to look for other supervisors")?;
            if lives {
                living.insert(owner);
            }
        }
        Ok(living)
    }

    async fn has_run_for(&self, time: Duration) -> Result<bool> {
        let seconds: i64 = sqlx::query_scalar(
            "SELECT CAST(VARIABLE_VALUE AS INT) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'",
        )
        .fetch_one(self.pool())
        .await
        .context(|| "failed to look since when the server runs")?;
        Ok(u64::try_from(seconds).is_ok_and(|seconds| seconds > time.as_secs()))
    }

    async fn remove(&self, owner: &str) {
        let found = databases(self).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to look for what is to be removed from an external server");
            Vec::new()
        });
        for database in found.iter().filter(|database| owner_of(database) == Some(owner)) {
            self.remove_slice(database).await;
        }
    }
}

/// What is ours, or another supervisor's.
async fn databases(admin: &Admin) -> Result<Vec<String>> {
    let all: Vec<String> = sqlx::query_scalar("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
        .fetch_all(admin.pool())
        .await
        .context(|| "failed to look for databases")?;
    Ok(all.into_iter().filter(|name| owner_of(name).is_some()).collect())
}

fn owner_of(database: &str) -> Option<&str> {
    let (owner, rest) = database.strip_prefix("itest_")?.split_once('_')?;
    let is_ours = is_owner(owner)
        && rest.starts_with(['s', 'd'])
        && rest.len() > 1
        && rest[1..].chars().all(|digit| digit.is_ascii_digit());
    is_ours.then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_tells_its_owner() {
        assert_eq!(owner_of("itest_0badcafe_s17"), Some("0badcafe"));
        for other in [
            "itest",
            "itest_0badcafe",
            "itest_0badcafe_x1",
            "itest_0badcafe_s",
            "itest_wxyz0123_s1",
            "mysql",
        ] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
