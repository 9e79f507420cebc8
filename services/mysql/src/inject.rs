//! The values that a test can have of a lease.

use itest_runtime::{Context, Inject, Lease, Result};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{Connection, MySqlConnection, MySqlPool, Transaction};

use super::{Isolation, MariaDb, failed, transaction};

impl Inject<MariaDb> for MySqlPool {
    type Service = MariaDb;

    async fn inject(lease: &Lease<MariaDb>) -> Result<Self> {
        transaction::pool(lease).await
    }
}

impl Inject<MariaDb> for MySqlConnection {
    type Service = MariaDb;

    async fn inject(lease: &Lease<MariaDb>) -> Result<Self> {
        if lease.grant().isolation == Isolation::Transaction {
            return transaction::connection(lease).await;
        }
        Self::connect_with(&lease.grant().options()?)
            .await
            .context(|| format!("failed to connect to the database {}", lease.grant().database))
    }
}

impl Inject<MariaDb> for Transaction<'static, sqlx::MySql> {
    type Service = MariaDb;

    async fn inject(lease: &Lease<MariaDb>) -> Result<Self> {
        transaction::pool(lease)
            .await?
            .begin()
            .await
            .map_err(|error| failed("failed to begin a transaction", &error))
    }
}

impl Inject<MariaDb> for MySqlConnectOptions {
    type Service = MariaDb;

    async fn inject(lease: &Lease<MariaDb>) -> Result<Self> {
        lease.grant().check_open("`MySqlConnectOptions`")?;
        lease.grant().options()
    }
}
