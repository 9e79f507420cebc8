//! What every service promises, tried on PostgreSQL and Redis. The other services try it beside their own tests.

use itest::service::{Postgres, Redis};
use itest_testing::Subject;
use itest_testing::promises::Outcome;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::PgPool;

struct Databases;

impl Subject for Databases {
    type Service = Postgres;
    type Value = PgPool;

    async fn write(db: &PgPool) -> Outcome<()> {
        let made = "CREATE TABLE IF NOT EXISTS written (); INSERT INTO written DEFAULT VALUES";
        sqlx::raw_sql(made).execute(db).await?;
        Ok(())
    }

    async fn count(db: &PgPool) -> Outcome<usize> {
        let there: bool = sqlx::query_scalar("SELECT to_regclass('written') IS NOT NULL")
            .fetch_one(db)
            .await?;
        if !there {
            return Ok(0);
        }
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM written").fetch_one(db).await?;
        Ok(usize::try_from(rows)?)
    }

    async fn server(db: &PgPool) -> Outcome<String> {
        let started = "SELECT pg_postmaster_start_time()::text";
        Ok(sqlx::query_scalar(started).fetch_one(db).await?)
    }

    async fn provoke(db: &PgPool) -> Outcome<&'static [&'static str]> {
        let wrong = sqlx::raw_sql("SELECT * FROM nowhere").execute(db).await;
        wrong.expect_err("there is no such table");
        Ok(&["relation \"nowhere\" does not exist"])
    }
}

struct Keys;

impl Subject for Keys {
    type Service = Redis;
    type Value = MultiplexedConnection;

    async fn write(redis: &MultiplexedConnection) -> Outcome<()> {
        let () = redis.clone().rpush("written", "x").await?;
        Ok(())
    }

    async fn count(redis: &MultiplexedConnection) -> Outcome<usize> {
        Ok(redis.clone().llen("written").await?)
    }

    async fn server(redis: &MultiplexedConnection) -> Outcome<String> {
        let said: String = redis::cmd("INFO").arg("server").query_async(&mut redis.clone()).await?;
        let run = said.lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(run.ok_or("no run_id")?.to_owned())
    }
}

mod databases {
    use super::Databases;

    itest_testing::promises!(postgres, Databases);
}

mod keys {
    use super::Keys;

    itest_testing::promises!(redis, Keys);
}
