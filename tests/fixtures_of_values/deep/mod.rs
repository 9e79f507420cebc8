//! What a fixture's paths are relative to is where it is written, and not where the test is that names it.

use sqlx::PgConnection;

#[itest::fixture(postgres(fixtures("seeds")))]
pub(crate) async fn seeds(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT n FROM seeds").fetch_one(db).await
}
