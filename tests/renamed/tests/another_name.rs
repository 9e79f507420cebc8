//! The attribute finds its crate by the name that the package's `Cargo.toml` gives it.

use integration_tests::integration;
use sqlx::PgPool;

#[integration(postgres)]
async fn a_renamed_dependency_is_found(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}

#[integration_tests::test(redis)]
async fn under_its_second_name_too() {}
