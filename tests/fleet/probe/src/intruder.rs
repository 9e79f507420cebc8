//! A process that a test leaves behind, and that goes on writing to its slices with what it was given.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sqlx::{Connection, PgConnection, PgPool};

const POSTGRES: &str = "FLEET_INTRUDE_POSTGRES";
const REDIS: &str = "FLEET_INTRUDE_REDIS";
/// How long it goes on: others get the slices in this time.
const GOES_ON: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// Starts one, as the ignored test `as_test` of this binary, and returns when it has written.
///
/// # Errors
/// When it doesn't write.
pub async fn send_an_intruder(as_test: &str, db: &PgPool, postgres: &str, redis: &str) -> anyhow::Result<()> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", as_test, "--ignored"])
        .env(POSTGRES, postgres)
        .env(REDIS, redis)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let written: i64 = sqlx::query_scalar("SELECT count(*) FROM guests WHERE name LIKE 'intruder%'")
            .fetch_one(db)
            .await?;
        if written > 1 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the intruder has written {written} rows");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes as long as it can, and comes back when it is thrown out.
///
/// # Errors
/// When nobody said where.
pub async fn intrude() -> anyhow::Result<()> {
    let postgres = std::env::var(POSTGRES).context("only other tests run this one")?;
    let redis = redis::Client::open(std::env::var(REDIS)?)?;
    let deadline = Instant::now() + GOES_ON;
    let mut written = 0;
    while Instant::now() < deadline {
        // That it is thrown out is what this is about.
        let _ = write_to_postgres(&postgres, deadline, &mut written).await;
        let _ = write_to_redis(&redis, written).await;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn write_to_postgres(url: &str, deadline: Instant, written: &mut u32) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    while Instant::now() < deadline {
        *written += 1;
        sqlx::query("INSERT INTO guests (name) VALUES ('intruder ' || $1)")
            .bind(i64::from(*written))
            .execute(&mut connection)
            .await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn write_to_redis(client: &redis::Client, written: u32) -> anyhow::Result<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("SET")
        .arg("intruder")
        .arg(written)
        .exec_async(&mut connection)
        .await?;
    Ok(())
}
