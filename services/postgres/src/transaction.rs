//! The isolation `transaction`: one connection, whose transaction is open before the test's code gets it.
//!
//! The pool's first connection begins a transaction through sqlx, which therefore counts depth from one: the code's own
//! `begin` becomes a savepoint. Code that asks for a second connection while it holds the first would wait for itself: it
//! waits a short while only, and the failure's hint says why. After the first connection the pool's options lead nowhere, so
//! that nobody gets a connection by them whose work would stay.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use itest_runtime::service::{Stage, Used};
use itest_runtime::{Context, Error, Lease, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{Connection, PgConnection, PgPool, Row};

use super::{Isolation, PgGrant, Postgres, failed, steps};

/// A role that is never there; its name is what the server answers with. At most 63 bytes.
pub(super) const SECOND_CONNECTION: &str = "a `transaction` has one connection and no second one";

/// Where nothing stays of a commit, either, a transaction is begun and ended without a look at it.
const BEGIN: &str = "BEGIN";
const END: &str = "SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK";

/// Begins a transaction and notes its id in a setting that ends with it: one round trip.
const BEGIN_SEEN: &str = "BEGIN; SELECT set_config('itest.transaction', pg_current_xact_id()::text, true)";

/// Asks whether the transaction is still the one that was begun, has what was deferred checked, and ends it.
const END_SEEN: &str = "SELECT pg_current_xact_id_if_assigned()::text = current_setting('itest.transaction', true);
     SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK";

/// How long to wait for the one connection. With sqlx's 30 s, a test that waits for itself would take that long to fail.
const PATIENCE: Duration = Duration::from_secs(3);

/// The lock of tests that make their content in a database that they share: `itest`, as a number.
const FILLING: i64 = 0x0069_7465_7374;

/// Whether a failure's text shows that the test wanted a second connection.
pub(super) fn wanted_another(failure: &str) -> bool {
    // In sqlx's words, as text and as `Debug` shows it; an application may have pools of its own.
    failure.contains(SECOND_CONNECTION)
        || failure.contains("pool timed out while waiting for an open connection")
        || failure.trim() == "PoolTimedOut"
        || failure.contains(": PoolTimedOut")
}

/// What the values of one lease share.
#[derive(Debug, Default)]
pub struct PgSession {
    pool: tokio::sync::OnceCell<PgPool>,
    /// The transaction in somebody else's database, of which nothing must stay.
    transaction: OnceLock<String>,
    rolled_back: AtomicBool,
}

/// The lease's pool: every value is made of the same one.
pub(super) async fn pool(lease: &Lease<Postgres>) -> Result<PgPool> {
    let session = lease.session::<PgSession>();
    let pool = session.pool.get_or_try_init(|| async {
        match lease.grant().isolation {
            Isolation::Transaction => open(lease).await,
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

async fn open(lease: &Lease<Postgres>) -> Result<PgPool> {
    let grant = lease.grant();
    let begin = if grant.must_see_rollback { BEGIN_SEEN } else { BEGIN };
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // Forgetting the guard leaves the transaction open.
                std::mem::forget(connection.begin_with(begin).await?);
                Ok(())
            })
        })
        .connect_with(grant.options()?)
        .await
        .context(|| format!("failed to open the transaction in the database {}", grant.database))?;
    pool.set_connect_options(nowhere(grant)?);
    if grant.bare {
        let transaction = current(&pool).await?;
        fill(lease, &pool).await?;
        if current(&pool).await? != transaction {
            return Err(Error::new(format!(
                "the template's content ran a COMMIT or ROLLBACK of its own, and stays in part in the database {}",
                grant.database
            ))
            .hint(
                "take BEGIN and COMMIT out of migrations and fixtures: each test makes them within its transaction",
            ));
        }
        let _ = lease.session::<PgSession>().transaction.set(transaction);
    }
    Ok(pool)
}

async fn current(pool: &PgPool) -> Result<String> {
    // A raw query is one round trip; a prepared one would be two.
    sqlx::raw_sql("SELECT pg_current_xact_id()::text")
        .fetch_one(pool)
        .await
        .and_then(|row| row.try_get(0))
        .context(|| "failed to open the transaction")
}

/// Where no database may be made, each test makes the template's content within its own transaction.
async fn fill(lease: &Lease<Postgres>, pool: &PgPool) -> Result<()> {
    let steps = &lease.service().steps;
    if steps.is_empty() {
        return Ok(());
    }
    // Two tests that make the same tables at once would wait for each other, in any order: one after the other, then.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(FILLING)
        .execute(pool)
        .await
        .context(|| "failed to wait for other tests in the same database")?;
    steps::run(steps.of(Stage::Whole), lease.test(), pool, steps::Sessions::One).await
}

fn nowhere(grant: &PgGrant) -> Result<PgConnectOptions> {
    Ok(grant.options()?.username(SECOND_CONNECTION))
}

/// Takes the transaction's one connection out of the pool.
pub(super) async fn connection(lease: &Lease<Postgres>) -> Result<PgConnection> {
    let connection = pool(lease)
        .await?
        .acquire()
        .await
        .map_err(|error| failed("failed to connect", &error))?;
    Ok(connection.detach())
}

/// Ends the transaction after a test that passed: what was deferred is checked now, then all is rolled back.
pub(super) async fn finish(lease: &Lease<Postgres>) -> Result<Used> {
    let session = lease.session::<PgSession>();
    if lease.grant().isolation != Isolation::Transaction {
        return Ok(Used::Unknown);
    }
    if session.rolled_back.load(Ordering::Relaxed) {
        return Ok(Used::RolledBack);
    }
    let Some(pool) = session.pool.get() else {
        return Ok(Used::RolledBack);
    };
    // A test may have kept the connection, or handed it to a task that goes on: then nothing is known.
    let acquire = async {
        loop {
            match pool.acquire().await {
                // sqlx waits by tokio's clock, which the test may have paused.
                Err(sqlx::Error::PoolTimedOut) => {}
                other => return other,
            }
        }
    };
    let acquired = itest_runtime::wall::timeout(Duration::from_millis(200), acquire).await;
    let Ok(Ok(connection)) = acquired else {
        return Ok(Used::Unknown);
    };
    finish_connection(lease, connection.detach()).await?;
    Ok(if session.rolled_back.load(Ordering::Relaxed) {
        Used::RolledBack
    } else {
        Used::Unknown
    })
}

/// The same, on the connection itself.
pub(super) async fn finish_connection(lease: &Lease<Postgres>, mut connection: PgConnection) -> Result<()> {
    let session = lease.session::<PgSession>();
    let end = if lease.grant().must_see_rollback { END_SEEN } else { END };
    let looked = sqlx::raw_sql(end).fetch_optional(&mut connection).await;
    let left = match &looked {
        Ok(row) if lease.grant().bare && !is_ours(row.as_ref()) => is_committed(lease, &mut connection).await,
        Ok(_) | Err(_) => false,
    };
    let _ = connection.close_hard().await;
    if left {
        return Err(Error::new(format!(
            "the test ran a COMMIT of its own, and what it did before stays in the database {}",
            lease.grant().database
        ))
        .hint("remove it by hand; where itest may create databases, each test has one of its own, and nothing stays"));
    }
    match looked {
        Ok(row) => {
            // Raw `COMMIT` or `ROLLBACK` statements would have led out of our transaction.
            session.rolled_back.store(is_ours(row.as_ref()), Ordering::Relaxed);
            Ok(())
        }
        // A statement failed, and the test expected it: the transaction can only be rolled back, which says nothing of
        // whether it is still ours.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("25P02") => Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("23")) => {
            let error = sqlx::Error::Database(error);
            Err(failed("a deferred constraint is violated at the end of the test", &error).hint(
                "a `transaction` is never committed, so deferred constraints are checked when the test ends: leave data that \
                 satisfies them",
            ))
        }
        Err(error) => Err(failed("failed to end the transaction", &error)),
    }
}

/// The transaction in which [`finish_connection`] found the connection.
fn is_ours(row: Option<&PgRow>) -> bool {
    row.and_then(|row| row.try_get::<Option<bool>, _>(0).ok().flatten())
        .unwrap_or(false)
}

/// Whether our transaction was committed, by a raw `COMMIT` then.
async fn is_committed(lease: &Lease<Postgres>, connection: &mut PgConnection) -> bool {
    let status: sqlx::Result<Option<String>> = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)")
        .bind(lease.session::<PgSession>().transaction.get())
        .fetch_one(connection)
        .await;
    matches!(status, Ok(Some(status)) if status == "committed")
}
