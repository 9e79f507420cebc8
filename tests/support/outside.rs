//! Servers that someone else runs, as the external provider sees them: those of a test that has them to itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use itest::Url;
use itest::service::{Postgres, Redis};
use redis::aio::MultiplexedConnection;
use redis::{Client, cmd};
use sqlx::PgPool;

use super::PATIENCE;

/// A PostgreSQL and a Redis server, and a superuser of both.
pub(crate) struct Outside {
    pub(crate) db: PgPool,
    redis: MultiplexedConnection,
    postgres_url: String,
    redis_url: String,
}

impl Outside {
    pub(crate) async fn new(db: PgPool, postgres: &Url<Postgres>, redis: &Url<Redis>) -> anyhow::Result<Self> {
        let client = Client::open(redis.as_str())?;
        Ok(Self {
            db,
            redis: client.get_multiplexed_async_connection().await?,
            postgres_url: postgres.to_string(),
            redis_url: redis.to_string(),
        })
    }

    /// The URL of a superuser.
    pub(crate) fn postgres(&self) -> String {
        self.postgres_url.clone()
    }

    /// The URL of a user who may do anything.
    pub(crate) fn redis(&self) -> String {
        self.redis_url.clone()
    }

    /// Makes a role with these rights and a database of its own; the answer is its URL.
    pub(crate) async fn postgres_user(&self, name: &str, rights: &str) -> anyhow::Result<String> {
        for sql in [
            format!("CREATE ROLE {name} LOGIN {rights} PASSWORD 'secret'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.db).await?;
        }
        let (_, place) = self.postgres_url.rsplit_once('@').unwrap();
        let (server, _) = place.split_once('/').unwrap();
        Ok(format!("postgres://{name}:secret@{server}/{name}"))
    }

    /// Makes a user with these rules; the answer is its URL.
    pub(crate) async fn redis_user(&self, name: &str, rules: &[&str]) -> anyhow::Result<String> {
        let mut set = cmd("ACL");
        set.arg("SETUSER")
            .arg(name)
            .arg(&["on", ">secret", "~*", "&*", "+@all"])
            .arg(rules);
        set.query_async::<()>(&mut self.redis.clone()).await?;
        let (_, place) = self.redis_url.rsplit_once('@').unwrap();
        Ok(format!("redis://{name}:secret@{place}"))
    }

    /// Ends all other connections by our URL to the Redis server, as a restart does.
    pub(crate) async fn end_redis_connections(&self) -> anyhow::Result<()> {
        let mut redis = self.redis.clone();
        let user: String = cmd("ACL").arg("WHOAMI").query_async(&mut redis).await?;
        let mut kill = cmd("CLIENT");
        kill.arg(&["KILL", "USER", &user, "SKIPME", "yes"]);
        Ok(kill.query_async::<()>(&mut redis).await?)
    }

    /// Writes a key into a logical database, as somebody else might have.
    pub(crate) async fn put_somebodys_data(&self, database: u32) -> anyhow::Result<()> {
        let script = "redis.call('SELECT', ARGV[1]) return redis.call('SET', 'somebodys', 'data')";
        let mut set = cmd("EVAL");
        set.arg(script).arg(0).arg(database);
        Ok(set.query_async::<()>(&mut self.redis.clone()).await?)
    }

    /// Waits until all is as it was before: a session takes a moment to end after its client has.
    pub(crate) async fn stays(&self, before: &BTreeSet<String>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.inventory().await?;
            if now == *before {
                return Ok(());
            }
            let changed: Vec<_> = now.symmetric_difference(before).collect();
            anyhow::ensure!(Instant::now() < deadline, "this has come or gone: {changed:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// All that supervisors could leave: databases, roles, users, and the keys of every logical database.
    pub(crate) async fn inventory(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut all: BTreeSet<String> = sqlx::query_scalar(
            "SELECT 'database ' || datname FROM pg_database UNION ALL SELECT 'role ' || rolname FROM pg_roles
             UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity
               WHERE application_name LIKE 'itest:%' AND application_name <> 'itest:' || substring(current_database() FROM 7 FOR 8)",
        )
        .fetch_all(&self.db)
        .await?
        .into_iter()
        .collect();
        let mut redis = self.redis.clone();
        let users: Vec<String> = cmd("ACL").arg("USERS").query_async(&mut redis).await?;
        all.extend(users.into_iter().map(|user| format!("user {user}")));
        let keyspace: String = cmd("INFO").arg("keyspace").query_async(&mut redis).await?;
        all.extend(
            keyspace
                .lines()
                .filter_map(|line| line.split(",expires").next())
                .map(|line| format!("keys {line}")),
        );
        let keys: Vec<String> = cmd("KEYS").arg("itest*").query_async(&mut redis).await?;
        all.extend(keys.into_iter().map(|key| format!("key {key}")));
        Ok(all)
    }
}
