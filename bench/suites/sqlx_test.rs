//! What sqlx itself offers: `#[sqlx::test]`, a database for each test, which is made and migrated for it.

mod support;

use std::path::Path;
use std::sync::LazyLock;

use sqlx::PgPool;
use sqlx::migrate::{Migrator, resolve_blocking};

/// Read when the tests run, as the bench chooses the schema then. It is read once for all of a process.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = resolve_blocking(Path::new(&support::schema())).expect("the bench made these migrations");
    Migrator::with_migrations(migrations.into_iter().map(|(migration, _)| migration).collect())
});

macro_rules! each {
    ($($name:ident)*) => { $(
        #[sqlx::test(migrator = "MIGRATOR")]
        async fn $name(db: PgPool) -> sqlx::Result<()> {
            support::body(&db).await
        }
    )* };
}

support::tests!(100, each);
