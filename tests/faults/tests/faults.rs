//! Tests that fail, or that pass only where their surroundings are in order.

use std::time::Duration;

use itest::integration;
use redis::aio::ConnectionManager;
use sqlx::PgPool;

#[integration(postgres)]
async fn wants_postgres(_db: PgPool) {}

#[integration(redis)]
async fn wants_redis(_cache: ConnectionManager) {}

#[integration(postgres(version = "99"))]
async fn wants_a_version_that_is_not_there(_db: PgPool) {}

#[integration(postgres(version = "latest"))]
async fn wants_a_version_that_is_none(_db: PgPool) {}

#[integration(postgres(settings("nonsense=1")))]
async fn wants_a_setting_that_is_none(_db: PgPool) {}

#[integration(postgres(dedicated))]
async fn wants_a_dedicated_server(_db: PgPool) {}

#[integration(postgres(migrations = "migrations_broken"))]
async fn has_a_broken_migration(_db: PgPool) {}

#[integration(postgres(migrations = "no_such_folder"))]
async fn has_no_migrations(_db: PgPool) {}

#[integration(postgres(fixtures("nowhere")))]
async fn has_no_fixture(_db: PgPool) {}

#[integration(postgres(fixtures("wrong")))]
async fn has_a_wrong_fixture(_db: PgPool) {}

#[integration(postgres(setup = refuse))]
async fn has_a_setup_function_that_fails(_db: PgPool) {}

async fn refuse(_db: PgPool) -> anyhow::Result<()> {
    anyhow::bail!("the librarian is on holiday")
}

#[integration(postgres(setup = ask_amiss))]
async fn has_a_setup_function_with_an_error_of_sqlx(_db: PgPool) {}

async fn ask_amiss(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT shelf FROM nowhere").execute(&db).await?;
    Ok(())
}

#[integration(postgres(setup = panic))]
async fn has_a_setup_function_that_panics(_db: PgPool) {}

async fn panic(_db: PgPool) {
    panic!("the roof is leaking");
}

#[integration(redis)]
async fn flushes_all(mut cache: ConnectionManager) -> redis::RedisResult<()> {
    redis::cmd("FLUSHALL").query_async(&mut cache).await
}

#[integration(redis)]
async fn flushes_all_and_panics(mut cache: ConnectionManager) {
    redis::cmd("FLUSHALL").query_async::<()>(&mut cache).await.unwrap();
}

#[integration(postgres)]
async fn creates_a_role(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("CREATE ROLE librarian").execute(&db).await.map(drop)
}

#[integration(postgres)]
async fn creates_a_role_and_unwraps(db: PgPool) {
    sqlx::query("CREATE ROLE librarian").execute(&db).await.unwrap();
}

#[integration(postgres(transaction))]
async fn wants_a_second_connection(db: PgPool) -> sqlx::Result<()> {
    let _first = db.acquire().await?;
    db.acquire().await.map(drop)
}

#[integration(postgres(transaction))]
async fn defers_a_violation(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("CREATE TABLE a (id int PRIMARY KEY)").execute(&db).await?;
    sqlx::query("CREATE TABLE b (a int CONSTRAINT b_belongs_to_a REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
        .execute(&db)
        .await?;
    sqlx::query("INSERT INTO b VALUES (1)").execute(&db).await.map(drop)
}

#[integration(postgres)]
async fn makes_the_server_complain_of_lions(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT lions FROM cage").execute(&db).await.map(drop)
}

#[integration(postgres)]
async fn makes_the_server_complain_of_tigers(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT tigers FROM cage").execute(&db).await.map(drop)
}

#[integration(first = postgres, second = postgres)]
async fn makes_two_servers_complain(first: PgPool, second: PgPool) {
    sqlx::query("SELECT lions FROM cage").execute(&first).await.unwrap_err();
    sqlx::query("SELECT tigers FROM cage")
        .execute(&second)
        .await
        .unwrap_err();
    panic!("both complained");
}

#[integration(postgres, redis)]
async fn leaves_data_and_fails(db: PgPool, mut cache: ConnectionManager) -> anyhow::Result<()> {
    sqlx::query("CREATE TABLE found (what text)").execute(&db).await?;
    sqlx::query("INSERT INTO found VALUES ('a left book')")
        .execute(&db)
        .await?;
    redis::cmd("SET")
        .arg("found")
        .arg("a left key")
        .query_async::<()>(&mut cache)
        .await?;
    anyhow::bail!("somebody left something")
}

#[integration(postgres, redis, timeout = "500ms")]
async fn waits_for_servers(db: PgPool, mut cache: ConnectionManager) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE TABLE held (id int)").execute(&db).await?;
    let mut holder = db.begin().await?;
    sqlx::raw_sql("LOCK TABLE held").execute(&mut *holder).await?;
    tokio::join!(
        async {
            let _ = sqlx::raw_sql("SELECT pg_sleep(60)").execute(&db).await;
        },
        async {
            let _ = sqlx::raw_sql("INSERT INTO held VALUES (1)").execute(&db).await;
        },
        async {
            let _: redis::RedisResult<()> = redis::cmd("BLPOP").arg("nothing").arg(60).query_async(&mut cache).await;
        },
    );
    Ok(())
}

#[integration(postgres, timeout = "200ms")]
async fn is_too_slow(_db: PgPool) {
    tokio::time::sleep(Duration::from_hours(1)).await;
}

#[integration(postgres, timeout = "200ms")]
fn is_too_slow_and_blocks(_db: PgPool) {
    std::thread::sleep(Duration::from_secs(5));
}

#[integration(postgres)]
async fn sleeps_for_long(_db: PgPool) {
    tokio::time::sleep(Duration::from_hours(1)).await;
}

#[integration(postgres, retries = 2)]
async fn fails_every_time(db: PgPool) -> anyhow::Result<()> {
    let name: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&db).await?;
    eprintln!("this attempt is {name}");
    anyhow::bail!("it never works")
}

#[integration(postgres)]
#[should_panic(expected = "an open door")]
async fn panics_for_another_reason(_db: PgPool) {
    panic!("a closed door");
}

#[integration(postgres)]
#[should_panic(expected = "an open door")]
async fn does_not_panic(_db: PgPool) {}
