//! What a person would do without any library: `docker run`, and connect until it works.

#[path = "support/clock.rs"]
mod clock;

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two attempts: next to nothing, but the server's start needs the processor, too.
const PAUSE: Duration = Duration::from_millis(1);

/// `BY_HAND_RUN` has the arguments of `docker`, one a line.
#[tokio::test]
async fn by_hand() -> Result<(), Box<dyn Error>> {
    let run = env::var("BY_HAND_RUN")?;
    let options = PgConnectOptions::from_str(&env::var("BY_HAND_URL")?)?;
    let status = Command::new("docker")
        .args(run.lines())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("`docker run` failed ({status})").into());
    }
    let began = Instant::now();
    while let Err(error) = first_query(&options).await {
        if began.elapsed() > PATIENCE {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    clock::reached();
    Ok(())
}

async fn first_query(options: &PgConnectOptions) -> sqlx::Result<()> {
    let mut db = PgConnection::connect_with(options).await?;
    sqlx::query("SELECT 1").execute(&mut db).await.map(drop)
}
