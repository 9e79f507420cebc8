//! smoke
use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
async fn a_database(db: PgPool) -> anyhow::Result<()> {
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&db).await?;
    assert_eq!(one, 1);
    Ok(())
}

#[integration(postgres(transaction), redis)]
async fn a_transaction(db: PgPool, cache: redis::Client) -> anyhow::Result<()> {
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&db).await?;
    assert_eq!(one, 1);
    let mut c = cache.get_multiplexed_async_connection().await?;
    let _: () = redis::cmd("SET").arg("a").arg(1).query_async(&mut c).await?;
    Ok(())
}
