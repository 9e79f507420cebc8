//! The isolation `transaction`: one connection, whose transaction is open before the test's code gets it.
//!
//! The pool's first connection begins a transaction through sqlx, which therefore counts depth from one: the code's own
//! `begin` becomes a savepoint. Code that asks for a second connection while it holds the first would wait for itself: it
//! waits a short while only, and the failure's hint says why. The database is the test's own, as without this word, so that
//! what DDL commits goes with it.

use std::time::Duration;

use itest_runtime::{Context, Lease, Result};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{Connection, MySqlConnection, MySqlPool};

use super::{Isolation, MariaDb, MariaDbGrant, failed};

/// How long to wait for the one connection. With sqlx's 30 s, a test that waits for itself would take that long to fail.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long values of the test may take to give back their connections at its end.
const CLOSES: Duration = Duration::from_millis(200);

/// Whether a failure's text shows that the test wanted a second connection.
pub(super) fn wanted_another(failure: &str) -> bool {
    // In sqlx's words, as text and as `Debug` shows it.
    failure.contains("pool timed out while waiting for an open connection")
        || failure.trim() == "PoolTimedOut"
        || failure.contains(": PoolTimedOut")
}

/// What the values of one lease share.
#[derive(Debug, Default)]
pub struct MariaDbSession {
    pool: tokio::sync::OnceCell<MySqlPool>,
}

/// The lease's pool: every value is made of the same one.
pub(super) async fn pool(lease: &Lease<MariaDb>) -> Result<MySqlPool> {
    let session = lease.session::<MariaDbSession>();
    let pool = session.pool.get_or_try_init(|| async {
        match lease.grant().isolation {
            Isolation::Transaction => open(lease.grant()).await,
            Isolation::Database => lease.grant().pool(),
            Isolation::Shared => {
                eprintln!(
                    "itest: `{}` is shared: other tests see what this one does, and it sees what they do",
                    lease.label()
                );
                lease.grant().pool()
            }
        }
    });
    pool.await.cloned()
}

async fn open(grant: &MariaDbGrant) -> Result<MySqlPool> {
    MySqlPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // Forgetting the guard leaves the transaction open.
                std::mem::forget(connection.begin().await?);
                Ok(())
            })
        })
        .connect_with(grant.options()?)
        .await
        .context(|| format!("failed to open the transaction in the database {}", grant.database))
}

/// Takes the transaction's one connection out of the pool.
pub(super) async fn connection(lease: &Lease<MariaDb>) -> Result<MySqlConnection> {
    let connection = pool(lease)
        .await?
        .acquire()
        .await
        .map_err(|error| failed("failed to connect", &error))?;
    Ok(connection.detach())
}

/// Ends the transaction after a test that passed: by its connection's end it is rolled back.
pub(super) async fn finish(lease: &Lease<MariaDb>) {
    let session = lease.session::<MariaDbSession>();
    if let Some(pool) = session.pool.get() {
        let _ = itest_runtime::wall::timeout(CLOSES, pool.close()).await;
    }
}
