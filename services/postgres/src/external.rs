//! On somebody else's server: what other supervisors left there, and what this one leaves.
//!
//! A supervisor lives as long as one of its sessions does, which the server itself shows to everybody: no clock, no host name.

use std::collections::BTreeSet;
use std::time::Duration;

use itest_runtime::service::asked::check_found;
use itest_runtime::service::{Service, Sweepable};
use itest_runtime::{Context, Error, Result};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use super::admin::{Admin, bound_locks, ident};
use super::{PgServer, Postgres};

/// Checks that somebody else's server is what the test asks for: it can't be made so.
pub(super) async fn check(admin: &Admin, wanted: &PgServer) -> Result<()> {
    if let Some(setting) = wanted.settings.first() {
        return Err(Error::new(format!(
            "the test asks for the server setting `{setting}`, and an external server's settings are not ours to change"
        ))
        .hint("set it on that server and take it out of the test, or write `postgres(native, …)`")
        .permanent());
    }
    if let Some(variable) = wanted.env.first() {
        return Err(Error::new(format!(
            "the test asks for the variable `{variable}` in the server's environment, and an external server's is not ours \
             to change"
        ))
        .hint("take it out of the test, or write `postgres(native, …)`")
        .permanent());
    }
    check_version(admin, wanted, "the external server").await
}

/// A server that is there can't be made what the test asks for.
pub(super) async fn check_version(admin: &Admin, wanted: &PgServer, what: &str) -> Result<()> {
    let Some(version) = &wanted.version else { return Ok(()) };
    let found: String = sqlx::query_scalar("SHOW server_version")
        .fetch_one(admin.pool())
        .await
        .context(|| "failed to look up the server's version")?;
    let number = found.split(' ').next().unwrap_or_default();
    check_found(Postgres::NAME, "PostgreSQL", Some(version), what, number)
}

/// What all our names look like: anything else that begins with `itest_` is somebody's own, such as `itest_20260131_orders`.
const OURS: &str = "^itest_[0-9a-f]{8}_([sdpb][0-9]+|t[0-9a-f]{12}_[0-9]+)$";

/// What all our names begin with.
pub(super) fn prefix(owner: &str) -> String {
    format!("itest_{owner}_")
}

/// How often a supervisor sees to it that it has a session.
const RENEWAL: Duration = Duration::from_secs(1);
/// How long its session may wait for a lock.
const LOCKED: Duration = Duration::from_secs(5);

/// Keeps up the session that says that this supervisor lives.
#[derive(Debug)]
pub(super) struct SignOfLife(JoinHandle<()>);

impl SignOfLife {
    pub(super) fn of(admin: Admin) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Ok(mut session) = PgConnection::connect_with(admin.options()).await
                    && bound_locks(&mut session, LOCKED).await.is_ok()
                {
                    while session.ping().await.is_ok() {
                        tokio::time::sleep(RENEWAL).await;
                    }
                }
                tokio::time::sleep(RENEWAL).await;
            }
        }))
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Databases and roles of supervisors; they live as long as one of their sessions does, which the server shows to everybody.
impl Sweepable for Admin {
    async fn owners(&self) -> Result<BTreeSet<String>> {
        let owners: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT substring(name FROM '^itest_([0-9a-f]{8})_') FROM (
                 SELECT datname::text AS name FROM pg_database UNION ALL SELECT rolname::text FROM pg_roles
             ) AS names WHERE name ~ $1",
        )
        .bind(OURS)
        .fetch_all(self.pool())
        .await
        .context(|| "failed to look for what dead supervisors left")?;
        Ok(owners.into_iter().collect())
    }

    async fn living(&self) -> Result<BTreeSet<String>> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'itest:%'",
        )
        .fetch_all(self.pool())
        .await
        .context(|| "failed to look for other supervisors")?;
        let owners = names.iter().filter_map(|name| name.strip_prefix("itest:"));
        Ok(owners.map(str::to_owned).collect())
    }

    async fn has_run_for(&self, time: Duration) -> Result<bool> {
        sqlx::query_scalar(
            "SELECT GREATEST(pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time())
               < clock_timestamp() - make_interval(secs => $1)",
        )
        .bind(time.as_secs_f64())
        .fetch_one(self.pool())
        .await
        .context(|| "failed to look since when the server runs")
    }

    async fn remove(&self, owner: &str) {
        clear(self, owner).await;
    }
}

/// Removes all that a supervisor made. What can't be removed stays for the next sweep.
pub(super) async fn clear(admin: &Admin, owner: &str) {
    let named = |sql: &'static str| async move {
        let names: Result<Vec<String>, _> = sqlx::query_scalar(sql)
            .bind(OURS)
            .bind(owner)
            .fetch_all(admin.pool())
            .await;
        names.unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to look for what is to be removed from an external server");
            Vec::new()
        })
    };
    let databases = "SELECT datname::text FROM pg_database WHERE datname ~ $1 AND substring(datname FROM 7 FOR 8) = $2";
    for database in named(databases).await {
        let freed = format!("ALTER DATABASE {} WITH IS_TEMPLATE false", ident(&database));
        let outcome = match admin.run("failed to free a template", freed).await {
            Ok(()) => admin.drop_database(&database).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "a database stays on an external server");
        }
    }
    // A lease's role carries its owner's digits at the end of its name.
    let roles = "SELECT rolname::text FROM pg_roles
                 WHERE (rolname ~ $1 AND substring(rolname FROM 7 FOR 8) = $2)
                 OR substring(rolname FROM '#([0-9a-f]{8})-[0-9]+$') = $2";
    for role in named(roles).await {
        if let Err(error) = admin
            .run("failed to drop a role", format!("DROP ROLE IF EXISTS {}", ident(&role)))
            .await
        {
            tracing::warn!(%error, role, "a role stays on an external server");
        }
    }
}
