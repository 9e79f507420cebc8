//! The floor: all tests on one database that was migrated beforehand, with plain sqlx and no isolation. It is a database of
//! the very server that the tests with itest use.
//!
//! It connects as itest's `PgPool` does, so that isolation alone is the difference.

mod support;

use std::str::FromStr;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

macro_rules! each {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() -> sqlx::Result<()> {
            support::body(&pool()?).await
        }
    )* };
}

support::tests!(100, each);

fn pool() -> sqlx::Result<PgPool> {
    let url = std::env::var("FLOOR_URL").map_err(|error| sqlx::Error::Configuration(error.into()))?;
    Ok(PgPoolOptions::new()
        .test_before_acquire(false)
        .connect_lazy_with(PgConnectOptions::from_str(&url)?))
}
