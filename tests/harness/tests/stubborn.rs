//! A harness that takes no arguments, so that nothing can be told to it: not even which test to run.

use std::process::ExitCode;

use itest::integration;
use redis::aio::ConnectionManager;
use sqlx::PgPool;

#[integration(redis, harness = false)]
async fn one_test(mut cache: ConnectionManager) -> redis::RedisResult<()> {
    let new: bool = redis::cmd("SETNX")
        .arg(&["key", "value"])
        .query_async(&mut cache)
        .await?;
    assert!(new, "another test's key is in the way");
    Ok(())
}

#[integration(redis, postgres, harness = false)]
async fn another_test(mut cache: ConnectionManager, _db: PgPool) -> redis::RedisResult<()> {
    let new: bool = redis::cmd("SETNX")
        .arg(&["key", "value"])
        .query_async(&mut cache)
        .await?;
    assert!(new, "another test's key is in the way");
    Ok(())
}

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        eprintln!("usage: stubborn");
        return ExitCode::from(2);
    }
    // The second one finds the supervisor that the first one started.
    one_test();
    another_test();
    println!("both passed");
    // `WAIT` keeps the process for somebody to look at it, until its stdin is closed.
    if std::env::var_os("WAIT").is_some() {
        let _ = std::io::stdin().lines().next();
    }
    ExitCode::SUCCESS
}
