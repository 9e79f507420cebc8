//! What every test of the fleet does: look whether its slices are clean, leave traces in them, and record which servers
//! they are on.

mod guests;
mod intruder;

mod traces;

use anyhow::{Context, ensure};
use fleet_driver::logbook::{HOLD, Logbook, Record};
use redis::Client;
use sqlx::PgPool;

pub use fleet_driver::manners::Manners;
pub use intruder::{intrude, send_an_intruder};

/// Looks, leaves traces, records.
///
/// # Errors
/// When something of another test is there.
pub async fn visit(test: &str, db: &PgPool, cache: &Client) -> anyhow::Result<()> {
    let mut redis = cache.get_multiplexed_async_connection().await?;
    traces::ensure_no_others_are_in(db).await?;
    traces::ensure_none_in_redis(&mut redis).await?;
    traces::ensure_none_in_postgres(db).await?;
    traces::leave_in_redis(&mut redis).await?;
    traces::leave_in_postgres(db).await?;

    let postgres = sqlx::query_scalar("SELECT pg_postmaster_start_time()::text")
        .fetch_one(db)
        .await?;
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
    let redis_id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    let record = Record {
        test: test.to_owned(),
        postgres,
        redis: redis_id.context("a server has a run_id")?.trim().to_owned(),
    };
    if let Some(logbook) = Logbook::of_our_driver() {
        if std::env::var(HOLD).is_ok_and(|held| held == test) {
            logbook.hold()?;
        }
        logbook.add(&record)?;
    }
    // Somebody whose lease is over may have come in meanwhile.
    traces::ensure_only_ours(db, &mut redis).await
}

/// Checks that a row that only the template has is there as often as the template says.
///
/// # Errors
/// When there are more or less.
pub async fn ensure_rooms(db: &PgPool, wanted: i64) -> anyhow::Result<()> {
    let rooms: i64 = sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(db).await?;
    ensure!(
        rooms == wanted,
        "{rooms} rooms are there, and the template has {wanted}"
    );
    Ok(())
}
