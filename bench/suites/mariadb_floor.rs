//! The floor: all tests in one database of the very server that the tests with itest use.

#[path = "support/people.rs"]
mod people;
mod support;

use std::str::FromStr;

use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};

macro_rules! each {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() -> anyhow::Result<()> {
            Ok(people::an_order(&pool()?).await?)
        }
    )* };
}

support::tests!(100, each);

/// On the server's socket, as itest itself connects.
fn pool() -> anyhow::Result<MySqlPool> {
    let options = MySqlConnectOptions::from_str(&std::env::var("MARIADB_URL")?)?;
    let options = match std::env::var("MARIADB_SOCKET") {
        Ok(socket) if !socket.is_empty() => options.socket(socket),
        _ => options,
    };
    Ok(MySqlPoolOptions::new().connect_lazy_with(options.ssl_mode(MySqlSslMode::Disabled)))
}
