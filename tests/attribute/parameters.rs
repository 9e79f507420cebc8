//! `T`, `&T` and `&mut T`, of every type that the built-in services make, in `async fn` and `fn`.

use itest::service::{Postgres, Redis};
use itest::{Url, integration};
use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{AsyncCommands, Client, IntoConnectionInfo};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool, Transaction};
use tokio::runtime::Handle;

async fn one(db: impl sqlx::PgExecutor<'_>) -> i32 {
    sqlx::query_scalar("SELECT 1").fetch_one(db).await.expect("it answers")
}

#[integration(postgres)]
async fn a_pool_by_value(db: PgPool) {
    assert_eq!(one(&db).await, 1);
}

#[integration(postgres)]
async fn a_pool_by_reference(db: &PgPool) {
    assert_eq!(one(db).await, 1);
}

#[integration(postgres)]
async fn a_connection_by_value(mut db: PgConnection) {
    assert_eq!(one(&mut db).await, 1);
}

#[integration(postgres)]
async fn a_connection_by_exclusive_reference(db: &mut PgConnection) {
    assert_eq!(one(&mut *db).await, 1);
    assert_eq!(one(db).await, 1);
}

#[integration(postgres)]
async fn a_transaction_by_exclusive_reference(db: &mut Transaction<'static, sqlx::Postgres>) {
    assert_eq!(one(&mut **db).await, 1);
}

#[integration(postgres)]
async fn options_to_connect_with(options: PgConnectOptions) {
    let mut connection = PgConnection::connect_with(&options).await.expect("it connects");
    assert_eq!(one(&mut connection).await, 1);
}

#[integration(postgres, redis)]
async fn a_url_of_each(postgres: &Url<Postgres>, redis: Url<Redis>) -> anyhow::Result<()> {
    assert_eq!(one(&mut PgConnection::connect(postgres.as_str()).await?).await, 1);
    let mut redis = Client::open(redis.as_str())?.get_multiplexed_async_connection().await?;
    assert_eq!(redis.set_nx::<_, _, i32>("key", "value").await?, 1);
    Ok(())
}

#[integration(redis)]
async fn a_client_by_value(cache: Client) -> redis::RedisResult<()> {
    let mut connection = cache.get_multiplexed_async_connection().await?;
    assert_eq!(connection.set_nx::<_, _, i32>("key", "value").await?, 1);
    Ok(())
}

#[integration(redis)]
async fn a_multiplexed_connection_by_exclusive_reference(cache: &mut MultiplexedConnection) {
    assert_eq!(cache.set_nx::<_, _, i32>("key", "value").await.expect("it answers"), 1);
}

#[integration(redis)]
async fn a_connection_manager_by_value(mut cache: ConnectionManager) {
    assert_eq!(cache.set_nx::<_, _, i32>("key", "value").await.expect("it answers"), 1);
}

#[integration(postgres, redis)]
async fn several_values_of_one_service_reach_the_same_slice(
    pool: &PgPool,
    connection: &mut PgConnection,
    client: &Client,
    manager: &mut ConnectionManager,
) -> anyhow::Result<()> {
    sqlx::query("CREATE TABLE seen ()").execute(pool).await?;
    sqlx::query("DROP TABLE seen").execute(connection).await?;
    manager.set::<_, _, ()>("key", "value").await?;
    let found: String = client.get_multiplexed_async_connection().await?.get("key").await?;
    assert_eq!(found, "value");
    Ok(())
}

#[integration(postgres)]
fn a_blocking_test_drives_futures_itself(db: PgPool) {
    assert_eq!(Handle::current().block_on(one(&db)), 1);
}

#[integration(postgres, redis)]
fn a_blocking_test_borrows(db: &mut PgConnection, cache: &Client) -> anyhow::Result<()> {
    assert_eq!(Handle::current().block_on(one(db)), 1);
    assert!(
        cache
            .get_connection_info()
            .addr()
            .clone()
            .into_connection_info()
            .is_ok()
    );
    Ok(())
}

#[integration(postgres, redis)]
async fn a_test_need_not_take_what_it_declares() {}
