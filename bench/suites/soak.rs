//! A thousand tests of all sorts, for many of which a database is to be as good as new: small writes for the most part, in both
//! isolations, and now and then what is harder to clean up after.

mod support;

use itest::integration;
use sqlx::PgPool;
use support::body as write;

macro_rules! each {
    ([$isolation:ident] [$body:ident] $($name:ident)*) => { $(
        #[integration(postgres(migrations = "./migrations", $isolation))]
        async fn $name(db: PgPool) -> sqlx::Result<()> {
            $body(&db).await
        }
    )* };
}

/// Modules of a hundred tests each.
macro_rules! hundreds {
    ($($module:ident: $isolation:ident, $body:ident;)*) => { $(
        mod $module {
            use super::*;

            support::tests!(100, each, $isolation, $body);
        }
    )* };
}

hundreds! {
    writes_a: database, write;
    writes_b: database, write;
    writes_c: database, write;
    writes_d: database, write;
    writes_e: database, write;
    rolls_back_a: transaction, write;
    rolls_back_b: transaction, write;
    reads: database, read;
    truncates: database, truncate;
    odds_and_ends: database, odd;
}

async fn read(db: &PgPool) -> sqlx::Result<()> {
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(db).await?;
    assert_eq!(orders, 0, "what other tests wrote isn't here");
    Ok(())
}

async fn truncate(db: &PgPool) -> sqlx::Result<()> {
    write(db).await?;
    sqlx::raw_sql("TRUNCATE customers RESTART IDENTITY CASCADE")
        .execute(db)
        .await?;
    read(db).await
}

/// One in ten of these changes the schema, so that one test in a hundred needs a new database.
async fn odd(db: &PgPool) -> sqlx::Result<()> {
    let user: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(db).await?;
    let changes_schema = user.contains("t0");
    let sql = if changes_schema {
        "ALTER TABLE customers ADD COLUMN nickname text; CREATE TABLE made (id int)"
    } else {
        "CREATE TEMP TABLE scratch (id serial, note text); INSERT INTO scratch (note) SELECT 'x' FROM generate_series(1, 100);
         SELECT lo_unlink(lo_from_bytea(0, 'x'))"
    };
    sqlx::raw_sql(sql).execute(db).await?;
    read(db).await
}
