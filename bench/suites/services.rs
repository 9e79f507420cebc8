//! Slices of the servers that the tests with itest use, for the floor of each.

#[path = "support/people.rs"]
mod people;

use std::io::Read;

use itest::service::nats::Credentials;
use itest::service::{MariaDb, Nats};
use itest::{Url, integration};
use sqlx::MySqlPool;

/// Prints where they are, and holds them until stdin ends.
#[integration(nats, mariadb(setup = people::forty_tables))]
async fn hold(nats: Url<Nats>, credentials: Credentials, mariadb: Url<MariaDb>, db: MySqlPool) -> anyhow::Result<()> {
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&db).await?;
    let socket: String = sqlx::query_scalar("SELECT @@socket").fetch_one(&db).await?;
    let client = async_nats::ConnectOptions::with_credentials_file(credentials.path()).await?;
    let client = client.connect(nats.as_str()).await?;
    println!("SERVER_VERSION={version}, NATS {}", client.server_info().version);
    println!("NATS_URL={}", nats.as_str());
    println!("NATS_CREDENTIALS={}", credentials.path().display());
    println!("MARIADB_URL={}", mariadb.as_str());
    println!("MARIADB_SOCKET={socket}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
