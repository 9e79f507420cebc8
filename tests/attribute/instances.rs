//! Two instances of a service in one test, told apart by their names.

use itest::integration;
use redis::{AsyncCommands, aio::ConnectionManager};
use sqlx::PgPool;

async fn database(db: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT current_database()").fetch_one(db).await
}

#[integration(orders = postgres, billing = postgres(migrations = "tests/attribute/migrations"))]
async fn two_databases_in_one_test_are_different(billing: &PgPool, orders: &PgPool) -> sqlx::Result<()> {
    assert_ne!(database(orders).await?, database(billing).await?);
    sqlx::query("INSERT INTO books (title) VALUES ('Emma')")
        .execute(billing)
        .await?;
    let strange = sqlx::query("SELECT FROM books").execute(orders).await;
    assert!(strange.is_err(), "only `billing` has the table");
    Ok(())
}

#[integration(postgres, spare = postgres)]
async fn a_parameter_without_a_name_gets_the_unnamed_one(db: &PgPool, spare: &PgPool) -> sqlx::Result<()> {
    assert_ne!(database(db).await?, database(spare).await?);
    Ok(())
}

#[integration(sessions = redis, prices = redis)]
async fn two_caches_in_one_test_are_different(
    mut sessions: ConnectionManager,
    mut prices: ConnectionManager,
) -> redis::RedisResult<()> {
    sessions.set::<_, _, ()>("key", "session").await?;
    prices.set::<_, _, ()>("key", "price").await?;
    assert_eq!(sessions.get::<_, String>("key").await?, "session");
    Ok(())
}

#[integration(only = postgres)]
async fn a_single_instance_may_have_a_name_that_no_parameter_has(db: PgPool) -> sqlx::Result<()> {
    database(&db).await.map(drop)
}

#[integration(one = redis(dedicated), other = redis(dedicated))]
async fn two_dedicated_servers_in_one_test_are_different(
    mut one: ConnectionManager,
    mut other: ConnectionManager,
) -> redis::RedisResult<()> {
    one.set::<_, _, ()>("key", "one").await?;
    assert!(!other.exists::<_, bool>("key").await?);
    Ok(())
}
