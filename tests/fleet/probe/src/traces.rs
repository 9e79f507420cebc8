//! Traces of a test: what it leaves in a database and in Redis, and what it must not find there.

use anyhow::ensure;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use sqlx::PgPool;

/// The one key that every test inserts, everywhere.
pub(crate) const KEY: &str = "the one guest";

/// Settings, tables and rooms of the template, and no trace of a guest.
const UNTOUCHED: &str = "
    SELECT ARRAY[
        'guests ' || (SELECT count(*) FROM guests),
        'rooms taken ' || (SELECT count(*) FROM rooms WHERE guest IS NOT NULL OR number > 100),
        'tables ' || (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class
                      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace),
        'columns ' || (SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                       WHERE attrelid = 'guests'::regclass AND attnum > 0),
        'work_mem ' || current_setting('work_mem'),
        'search_path ' || current_setting('search_path'),
        'lock ' || pg_try_advisory_lock(1)
    ]";

pub(crate) async fn ensure_none_in_postgres(db: &PgPool) -> anyhow::Result<()> {
    let found: Vec<String> = sqlx::query_scalar(UNTOUCHED).fetch_one(db).await?;
    let wanted = [
        "guests 0",
        "rooms taken 0",
        "tables _sqlx_migrations,guests,rooms",
        "columns id,name",
        "work_mem 4MB",
        "search_path \"$user\", public",
        "lock true",
    ];
    ensure!(found == wanted, "the database is not as the template: {found:?}");
    Ok(())
}

pub(crate) async fn ensure_none_in_redis(redis: &mut MultiplexedConnection) -> anyhow::Result<()> {
    let keys: Vec<String> = cmd("KEYS").arg("*").query_async(redis).await?;
    ensure!(keys.is_empty(), "keys of others are there: {keys:?}");
    Ok(())
}

/// No session of an earlier lease lives on. The supervisor's own may stay, which says so.
pub(crate) async fn ensure_no_others_are_in(db: &PgPool) -> anyhow::Result<()> {
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT usename || ': ' || query FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename <> current_user
           AND application_name NOT LIKE 'itest:%'",
    )
    .fetch_all(db)
    .await?;
    ensure!(others.is_empty(), "others are in this database: {others:?}");
    Ok(())
}

pub(crate) async fn leave_in_postgres(db: &PgPool) -> anyhow::Result<()> {
    let id: i64 = sqlx::query_scalar("INSERT INTO guests (name) VALUES ($1) RETURNING id")
        .bind(KEY)
        .fetch_one(db)
        .await?;
    let ticket: i64 = sqlx::query_scalar("SELECT nextval('tickets')").fetch_one(db).await?;
    ensure!(
        (id, ticket) == (1, 1),
        "the sequences were used: id {id}, ticket {ticket}"
    );
    sqlx::query("UPDATE rooms SET guest = $1 WHERE number = 1")
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn leave_in_redis(redis: &mut MultiplexedConnection) -> anyhow::Result<()> {
    let set: Option<String> = cmd("SET").arg(KEY).arg("1").arg("NX").query_async(redis).await?;
    ensure!(set.is_some(), "the key is there");
    Ok(())
}

pub(crate) async fn ensure_only_ours(db: &PgPool, redis: &mut MultiplexedConnection) -> anyhow::Result<()> {
    let guests: Vec<String> = sqlx::query_scalar("SELECT name FROM guests").fetch_all(db).await?;
    ensure!(guests == [KEY], "others have come in: {guests:?}");
    let keys: Vec<String> = cmd("KEYS").arg("*").query_async(redis).await?;
    ensure!(keys == [KEY], "others have come in: {keys:?}");
    Ok(())
}
