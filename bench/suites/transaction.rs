//! itest's isolation `transaction`.

mod support;

use itest::integration;
use sqlx::PgPool;

macro_rules! each {
    ($($name:ident)*) => { $(
        #[integration(postgres(migrations = support::schema(), transaction))]
        async fn $name(db: PgPool) -> sqlx::Result<()> {
            support::body(&db).await
        }
    )* };
}

support::tests!(100, each);
