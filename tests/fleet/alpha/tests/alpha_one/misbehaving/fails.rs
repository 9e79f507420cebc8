//! The mess that comes with a failure.

use std::time::Duration;

use anyhow::bail;
use fleet_probe::Manners;
use itest::integration;
use redis::Client;
use sqlx::PgPool;

use super::visit_then;

#[integration(postgres(migrations = "./migrations"), redis)]
async fn panics(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let mess = visit_then(Manners::Bad, "fails::panics", &db, &cache).await?;
    assert!(!mess, "as it was asked to");
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn panics_within_a_transaction(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let mess = visit_then(Manners::Bad, "fails::panics_within_a_transaction", &db, &cache).await?;
    let _savepoint = db.begin().await?;
    assert!(!mess, "as it was asked to");
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn returns_an_error(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "fails::returns_an_error", &db, &cache).await? {
        bail!("as it was asked to");
    }
    Ok(())
}

// The time-out is longer than the visit takes on a slow machine.
#[integration(postgres(migrations = "./migrations"), redis, timeout = "4s")]
async fn takes_too_long(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "fails::takes_too_long", &db, &cache).await? {
        tokio::time::sleep(Duration::MAX).await;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn aborts(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Worst, "fails::aborts", &db, &cache).await? {
        std::process::abort();
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn kills_itself(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Worst, "fails::kills_itself", &db, &cache).await? {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn exits_with_a_code(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Worst, "fails::exits_with_a_code", &db, &cache).await? {
        std::process::exit(3);
    }
    Ok(())
}
