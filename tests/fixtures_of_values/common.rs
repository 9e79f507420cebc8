//! Fixtures that several modules use, by their paths.

use sqlx::PgPool;

/// Notes in a database.
pub(crate) struct Notes {
    pub(crate) db: PgPool,
    pub(crate) workers: usize,
}

impl Notes {
    pub(crate) async fn add(&self, text: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO notes VALUES ($1)")
            .bind(text)
            .execute(&self.db)
            .await
            .map(drop)
    }

    pub(crate) async fn count(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM notes")
            .fetch_one(&self.db)
            .await
    }
}

#[itest::fixture(postgres)]
pub(crate) async fn notes(db: PgPool, #[default(2)] workers: usize) -> sqlx::Result<Notes> {
    sqlx::raw_sql("CREATE TABLE notes (text text)").execute(&db).await?;
    Ok(Notes { db, workers })
}

/// One level above.
#[itest::fixture(notes)]
pub(crate) async fn two_notes(notes: &Notes) -> sqlx::Result<i64> {
    notes.add("one").await?;
    notes.add("two").await?;
    notes.count().await
}
