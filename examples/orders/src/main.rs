//! Runs the service: reads its configuration from the environment, migrates the database, and serves until it is told
//! to stop.

mod config;

use anyhow::Context;
use orders::AppState;
use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::config::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::from_env()?;
    let db = PgPool::connect(&config.database_url)
        .await
        .context("failed to connect to Postgres")?;
    orders::MIGRATOR
        .run(&db)
        .await
        .context("failed to migrate the database")?;
    let redis = redis::Client::open(config.redis_url)
        .context("failed to read REDIS_URL")?
        .get_connection_manager()
        .await
        .context("failed to connect to Redis")?;

    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("failed to listen on {}", config.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, orders::router(AppState::new(db.clone(), redis, config.token)))
        .with_graceful_shutdown(told_to_stop()?)
        .await?;
    db.close().await;
    Ok(())
}

/// Ready on Ctrl-C, or when a process manager wants the service to end. Requests under way are answered first.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
