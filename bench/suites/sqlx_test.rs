//! What sqlx itself offers: `#[sqlx::test]`, a database for each test, which is made and migrated for it.

mod support;

use sqlx::PgPool;

macro_rules! each {
    ($($name:ident)*) => { $(
        #[sqlx::test(migrations = "./migrations")]
        async fn $name(db: PgPool) -> sqlx::Result<()> {
            support::body(&db).await
        }
    )* };
}

support::tests!(100, each);
