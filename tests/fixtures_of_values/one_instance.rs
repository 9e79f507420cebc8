//! A test that names a fixture has its services, too, and the same ones. What is equal is there once.

use itest::integration;
use itest::service::Postgres;
use redis::Client;
use sqlx::PgPool;

use crate::common::{Notes, notes, two_notes};
use crate::support::Guests;

#[integration(notes)]
async fn a_test_has_the_fixtures_services(notes: &Notes, db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("INSERT INTO notes VALUES ('by the test')")
        .execute(&db)
        .await?;
    assert_eq!(notes.count().await?, 1);
    assert_eq!(notes.workers, 2);
    Ok(())
}

#[integration(notes(workers = 5), postgres)]
async fn an_equal_service_is_the_same(notes: &Notes, db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("INSERT INTO notes VALUES ('by the test')")
        .execute(&db)
        .await?;
    assert_eq!((notes.count().await?, notes.workers), (1, 5));
    Ok(())
}

async fn nothing(_: PgPool) {}

#[integration(notes, postgres(setup = nothing))]
async fn another_service_is_another(notes: &Notes, db: PgPool) -> sqlx::Result<()> {
    let there: Option<String> = sqlx::query_scalar("SELECT to_regclass('notes')::text")
        .fetch_one(&db)
        .await?;
    assert_eq!(there, None, "what the test itself names comes first");
    assert_eq!(notes.count().await?, 0);
    Ok(())
}

#[integration(two_notes, notes)]
async fn an_equal_fixture_is_the_same(two_notes: i64, notes: &Notes) -> sqlx::Result<()> {
    assert_eq!((two_notes, notes.count().await?), (2, 2));
    Ok(())
}

#[integration(two_notes)]
async fn what_a_fixture_is_made_of_can_be_had_too(stored: &Notes, db: PgPool) -> sqlx::Result<()> {
    assert_eq!(stored.count().await?, 2);
    sqlx::raw_sql("DELETE FROM notes").execute(&db).await?;
    assert_eq!(stored.count().await?, 0);
    Ok(())
}

#[integration(left = notes, right = notes)]
async fn named_instances_are_two_of_everything(left: &Notes, right: &Notes) -> sqlx::Result<()> {
    left.add("left").await?;
    assert_eq!((left.count().await?, right.count().await?), (1, 0));
    Ok(())
}

#[integration(notes, other = notes)]
async fn a_named_one_stands_beside_the_unnamed(notes: &Notes, other: &Notes, db: PgPool) -> sqlx::Result<()> {
    other.add("other").await?;
    sqlx::raw_sql("INSERT INTO notes VALUES ('one'), ('two')")
        .execute(&db)
        .await?;
    assert_eq!((notes.count().await?, other.count().await?), (2, 1));
    Ok(())
}

/// Its two databases have names of their own.
#[itest::fixture(orders = postgres, billing = postgres)]
async fn shop(orders: PgPool, billing: PgPool) -> sqlx::Result<(PgPool, PgPool)> {
    sqlx::raw_sql("CREATE TABLE orders ()").execute(&orders).await?;
    sqlx::raw_sql("CREATE TABLE bills ()").execute(&billing).await?;
    Ok((orders, billing))
}

#[integration(shop, orders = postgres)]
async fn a_named_service_of_a_fixture_is_the_tests_by_its_name(orders: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("SELECT FROM orders").execute(&orders).await.map(drop)
}

#[itest::fixture(postgres(setup = nothing))]
async fn elsewhere(db: PgPool) -> PgPool {
    db
}

#[integration(notes, elsewhere)]
#[ignore = "a guest"]
async fn takes_one_of_two(_db: itest::Url<Postgres>) {}

#[tokio::test]
async fn which_of_two_services_is_meant_has_to_be_said() {
    let parts = [
        "the parameter `_db` may be made of `postgres` of the fixture `notes`, or of `postgres` of the fixture `elsewhere`",
        "name in the attribute the one that is meant",
    ];
    Guests::new()
        .fail_saying("one_instance::takes_one_of_two", &parts)
        .await;
}

#[itest::fixture(notes, redis)]
async fn service(notes: &Notes, cache: Client) -> (usize, Client) {
    (notes.workers, cache)
}

#[itest::fixture(service, notes)]
async fn diamond(service: &(usize, Client), notes: &Notes) -> sqlx::Result<usize> {
    notes.add("by the diamond").await?;
    Ok(service.0)
}

#[integration(diamond, service, notes)]
async fn a_diamond_has_one_of_each(diamond: usize, notes: &Notes, db: PgPool, cache: Client) -> anyhow::Result<()> {
    assert_eq!(diamond, 2);
    assert_eq!(notes.count().await?, 1);
    sqlx::raw_sql("SELECT FROM notes").execute(&db).await?;
    cache.get_multiplexed_async_connection().await?;
    Ok(())
}

#[integration(two_notes, retries = 1)]
async fn a_second_attempt_has_fixtures_of_its_own(notes: &Notes) -> anyhow::Result<()> {
    static ATTEMPTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let attempt = ATTEMPTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(notes.count().await?, 2);
    notes.add("three").await?;
    anyhow::ensure!(attempt == 1, "the first attempt is to fail");
    Ok(())
}
