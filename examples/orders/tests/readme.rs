//! The Rust code of the workspace's README, as it stands there: that it compiles and holds is tested here. What uses images
//! that a machine may not have stands in the guide, whose code is compiled as doc tests.

use itest::integration;
use redis::AsyncCommands;
use sqlx::PgPool;

#[integration(postgres(migrations = "./migrations"), redis)]
async fn a_user_is_stored_and_cached(db: PgPool, cache: redis::Client) -> anyhow::Result<()> {
    let id: i64 = sqlx::query_scalar("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com') RETURNING id")
        .fetch_one(&db)
        .await?;
    let mut cache = cache.get_multiplexed_async_connection().await?;
    let () = cache.set(id, "Ada").await?;

    let cached: String = cache.get(id).await?;
    assert_eq!(cached, "Ada");
    Ok(())
}

#[integration(postgres(migrations = "./migrations", transaction))]
async fn nothing_of_this_is_ever_committed(db: PgPool) -> sqlx::Result<()> {
    let mut savepoint = db.begin().await?;
    sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')")
        .execute(&mut *savepoint)
        .await?;
    savepoint.commit().await
}

async fn two_users(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com'), ('Bob', 'bob@example.com')")
        .execute(&db)
        .await?;
    Ok(())
}

#[integration(postgres(migrations = "./migrations", fixtures("catalog"), setup = two_users))]
async fn the_template_has_users_and_items(db: &PgPool) -> sqlx::Result<()> {
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db).await?;
    let items: i64 = sqlx::query_scalar("SELECT count(*) FROM items").fetch_one(db).await?;
    assert_eq!((users, items), (2, 3));
    Ok(())
}

#[itest::fixture(postgres(migrations = "./migrations", fixtures("catalog")), redis)]
async fn stocked(db: &PgPool, cache: redis::Client, #[default(3)] pens: i32) -> anyhow::Result<i32> {
    sqlx::query("UPDATE items SET stock = $1 WHERE sku = 'pen'")
        .bind(pens)
        .execute(db)
        .await?;
    let mut cache = cache.get_multiplexed_async_connection().await?;
    let () = cache.set("pens", pens).await?;
    Ok(pens)
}

#[integration(stocked(pens = 7))]
async fn a_fixtures_database_is_the_tests(stocked: i32, db: PgPool) -> sqlx::Result<()> {
    let pens: i32 = sqlx::query_scalar("SELECT stock FROM items WHERE sku = 'pen'")
        .fetch_one(&db)
        .await?;
    assert_eq!(pens, stocked);
    Ok(())
}

use rstest::rstest;

#[integration(postgres(migrations = "./migrations", transaction))]
#[rstest]
#[case::no_sign("ada.example.com", false)]
#[case::plain("ada@example.com", true)]
async fn an_address_has_an_at_sign(db: PgPool, #[case] email: &str, #[case] accepted: bool) {
    let inserted = sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', $1)")
        .bind(email)
        .execute(&db)
        .await;
    assert_eq!(inserted.is_ok(), accepted);
}

#[test]
fn the_readme_shows_code_of_this_file_and_no_other() {
    let file = include_str!("readme.rs");
    let readme = include_str!("../../../README.md");
    let guide: String = include_str!("../../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .filter(|line| !line.starts_with("# "))
        .flat_map(|line| [line, "\n"])
        .collect();
    let blocks: Vec<_> = readme
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() > 3, "{blocks:?}");
    for block in blocks {
        assert!(
            file.contains(block) || guide.contains(block),
            "neither in this file nor in the guide:\n{block}"
        );
    }
}
