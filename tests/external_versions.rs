//! The external provider takes servers as they are: what a test asks of them is checked, and several specs share one.

mod support;

use itest::service::Postgres;
use itest::{Url, integration};
use sqlx::PgPool;
use support::Guests;

/// The version that a guest asks for, as its host says.
fn wanted() -> String {
    std::env::var("GUEST_WANTS").expect("the host says which version")
}

#[integration(postgres(version = wanted(), migrations = "./tests/migrations"))]
#[ignore = "a guest"]
async fn asks_for_a_version(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}

#[integration(postgres(migrations = "./tests/migrations"))]
#[ignore = "a guest"]
async fn asks_for_any(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}

#[integration(postgres(settings("work_mem=64MB")))]
#[ignore = "a guest that fails"]
fn asks_for_a_setting(_db: PgPool) {}

#[integration(postgres(dedicated))]
async fn what_an_external_server_is_not_is_said(db: &PgPool, url: Url<Postgres>) -> anyhow::Result<()> {
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(db).await?;
    let number = version.split(' ').next().unwrap_or_default();

    let guests = Guests::new()
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", url.as_str())
        .with("GUEST_WANTS", number);
    guests
        .pass_together(&["asks_for_a_version", "asks_for_any", "asks_for_a_version"])
        .await;
    let said = guests.fail("asks_for_a_setting").await;
    assert!(
        said.contains("`work_mem=64MB`") && said.contains("postgres(native"),
        "{said}"
    );
    guests.end_supervisors(rustix::process::Signal::TERM).await;

    let guests = Guests::new()
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", url.as_str())
        .with("GUEST_WANTS", "99");
    let said = guests.fail("asks_for_a_version").await;
    assert!(
        said.contains("asks for PostgreSQL 99") && said.contains(number),
        "{said}"
    );
    guests.end_supervisors(rustix::process::Signal::TERM).await;
    Ok(())
}
