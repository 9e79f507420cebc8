//! The mess that a test makes and passes.

use fleet_probe::{Manners, send_an_intruder};
use itest::service::{Postgres, Redis};
use itest::{Url, integration};
use redis::{Client, cmd};
use sqlx::{Executor, PgConnection, PgPool};

use super::visit_then;

#[integration(postgres(migrations = "./migrations"), redis)]
async fn alters_its_tables(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "passes::alters_its_tables", &db, &cache).await? {
        db.execute(
            "ALTER TABLE guests ADD COLUMN age int; CREATE TABLE annex AS SELECT * FROM rooms; CREATE SCHEMA cellar",
        )
        .await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn drops_its_tables(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "passes::drops_its_tables", &db, &cache).await? {
        db.execute("DROP TABLE guests, rooms; DROP SEQUENCE tickets").await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn truncates_what_the_template_holds(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "passes::truncates_what_the_template_holds", &db, &cache).await? {
        db.execute("TRUNCATE rooms, guests").await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn moves_sequences_that_no_rollback_puts_back(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::moves_sequences_that_no_rollback_puts_back";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        db.execute("SELECT setval('tickets', 500), setval('guests_id_seq', 500)")
            .await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn commits_what_should_be_rolled_back(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::commits_what_should_be_rolled_back";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        db.execute("COMMIT").await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn commits_and_begins_another_transaction(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::commits_and_begins_another_transaction";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        db.execute("COMMIT; BEGIN; UPDATE rooms SET guest = NULL").await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction), redis)]
async fn ends_with_a_transaction_that_failed(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::ends_with_a_transaction_that_failed";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        db.execute("SELECT 1 / 0").await.expect_err("nobody divides by zero");
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn changes_settings_of_its_role_and_database(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::changes_settings_of_its_role_and_database";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        db.execute(
            "ALTER ROLE CURRENT_USER SET work_mem = '1MB'; ALTER ROLE CURRENT_USER SET search_path = pg_catalog",
        )
        .await?;
        let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&db).await?;
        let settings = format!("ALTER DATABASE \"{database}\" SET search_path = pg_catalog");
        db.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings))).await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn leaks_its_pool_with_locks_held(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::leaks_its_pool_with_locks_held";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        for lock in ["LOCK TABLE rooms", "SELECT pg_advisory_lock(2)"] {
            let mut transaction = db.begin().await?;
            transaction.execute(lock).await?;
            std::mem::forget(transaction);
        }
        std::mem::forget(db);
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn leaves_a_process_that_goes_on_writing(
    db: PgPool,
    cache: Client,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let test = "passes::leaves_a_process_that_goes_on_writing";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        send_an_intruder("intruder", &db, postgres.as_str(), redis.as_str()).await?;
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn fills_and_flushes_redis(db: PgPool, cache: Client) -> anyhow::Result<()> {
    if visit_then(Manners::Bad, "passes::fills_and_flushes_redis", &db, &cache).await? {
        let mut redis = cache.get_multiplexed_async_connection().await?;
        cmd("FLUSHDB").exec_async(&mut redis).await?;
        for key in 0..100 {
            cmd("SET").arg(key).arg("of a test").exec_async(&mut redis).await?;
        }
    }
    Ok(())
}

/// The clients wait for a key that every other test may set: they must not get it.
#[integration(postgres(migrations = "./migrations"), redis)]
async fn leaves_redis_clients_that_block(db: PgPool, cache: Client) -> anyhow::Result<()> {
    let test = "passes::leaves_redis_clients_that_block";
    if visit_then(Manners::Bad, test, &db, &cache).await? {
        for _ in 0..3 {
            let mut blocked = cache.get_connection()?;
            std::thread::spawn(move || {
                let _ = cmd("BLPOP").arg("queue").arg(0).exec(&mut blocked);
                let _ = cmd("SET").arg("intruder").arg("of a blocked client").exec(&mut blocked);
            });
        }
    }
    Ok(())
}

#[integration(postgres(migrations = "./migrations"), redis)]
async fn exits_with_success(db: PgPool, cache: Client, other: &mut PgConnection) -> anyhow::Result<()> {
    if visit_then(Manners::Worst, "passes::exits_with_success", &db, &cache).await? {
        other.execute("BEGIN; DELETE FROM rooms").await?;
        std::process::exit(0);
    }
    Ok(())
}
