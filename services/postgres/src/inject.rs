//! The values that a test can have of a lease.

use itest_runtime::{Context, Inject, Lease, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool, Transaction};

use super::{Isolation, Postgres, failed, transaction};

impl Inject<Postgres> for PgPool {
    type Service = Postgres;

    async fn inject(lease: &Lease<Postgres>) -> Result<Self> {
        transaction::pool(lease).await
    }
}

impl Inject<Postgres> for PgConnection {
    type Service = Postgres;

    async fn inject(lease: &Lease<Postgres>) -> Result<Self> {
        if lease.grant().isolation == Isolation::Transaction {
            return transaction::connection(lease).await;
        }
        Self::connect_with(&lease.grant().options()?)
            .await
            .context(|| format!("failed to connect to the database {}", lease.grant().database))
    }

    async fn finish(self, lease: &Lease<Postgres>) -> Result<()> {
        if lease.grant().isolation == Isolation::Transaction {
            return transaction::finish_connection(lease, self).await;
        }
        Ok(())
    }
}

impl Inject<Postgres> for Transaction<'static, sqlx::Postgres> {
    type Service = Postgres;

    async fn inject(lease: &Lease<Postgres>) -> Result<Self> {
        transaction::pool(lease)
            .await?
            .begin()
            .await
            .map_err(|error| failed("failed to begin a transaction", &error))
    }
}

impl Inject<Postgres> for PgConnectOptions {
    type Service = Postgres;

    async fn inject(lease: &Lease<Postgres>) -> Result<Self> {
        lease.grant().check_open("`PgConnectOptions`")?;
        lease.grant().options()
    }
}
