//! A clone of a template for each test, by hand, as pgtestdb makes them in Go: the first test migrates a template; each clones it,
//! connects, and drops its clone at the end.

mod support;

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

macro_rules! each {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() -> anyhow::Result<()> {
            on_a_clone().await
        }
    )* };
}

support::tests!(100, each);

async fn on_a_clone() -> anyhow::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let options = PgConnectOptions::from_str(&std::env::var("DATABASE_URL")?)?;
    let mut admin = PgConnection::connect_with(&options).await?;
    ensure_template(&mut admin, &options).await?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let clone = format!("clone_{}_{number}", std::process::id());
    run(&mut admin, format!("CREATE DATABASE {clone} TEMPLATE clones")).await?;
    let pool = PgPoolOptions::new()
        .test_before_acquire(false)
        .connect_lazy_with(options.database(&clone));
    support::body(&pool).await?;
    pool.close().await;
    run(&mut admin, format!("DROP DATABASE {clone}")).await?;
    Ok(admin.close().await?)
}

/// Who comes first makes it; all others wait for the lock.
async fn ensure_template(admin: &mut PgConnection, options: &PgConnectOptions) -> anyhow::Result<()> {
    let is_there = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'clones')";
    if sqlx::query_scalar(is_there).fetch_one(&mut *admin).await? {
        return Ok(());
    }
    run(admin, "SELECT pg_advisory_lock(1)".to_owned()).await?;
    if !sqlx::query_scalar(is_there).fetch_one(&mut *admin).await? {
        run(admin, "CREATE DATABASE unfinished".to_owned()).await?;
        let mut template = PgConnection::connect_with(&options.clone().database("unfinished")).await?;
        Migrator::new(Path::new(&support::schema()))
            .await?
            .run(&mut template)
            .await?;
        template.close().await?;
        run(admin, "ALTER DATABASE unfinished RENAME TO clones".to_owned()).await?;
    }
    run(admin, "SELECT pg_advisory_unlock(1)".to_owned()).await
}

async fn run(admin: &mut PgConnection, sql: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await?;
    Ok(())
}
