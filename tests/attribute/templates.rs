//! What fills the template: a folder, a static `Migrator`, fixtures, a function.

use itest::integration;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

static MIGRATOR: Migrator = sqlx::migrate!("tests/attribute/migrations");

const FOLDER: &str = "tests/attribute/migrations";

async fn titles(db: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT title FROM books ORDER BY id")
        .fetch_all(db)
        .await
}

#[integration(postgres(migrations = "tests/attribute/migrations", fixtures("two_books")))]
async fn a_folder_of_migrations_and_a_fixture(db: PgPool) -> sqlx::Result<()> {
    assert_eq!(titles(&db).await?, ["Emma", "Ulysses"]);
    Ok(())
}

#[integration(postgres(migrations = FOLDER, fixtures("fixtures/two_books.sql", "two_books")))]
async fn a_constant_and_fixtures_by_path_and_by_name(db: PgPool) -> sqlx::Result<()> {
    assert_eq!(titles(&db).await?.len(), 4);
    Ok(())
}

#[integration(postgres(migrator = MIGRATOR))]
async fn a_migrator_that_is_a_static(db: PgPool) -> sqlx::Result<()> {
    assert!(titles(&db).await?.is_empty());
    Ok(())
}

#[integration(postgres(migrator = &MIGRATOR, transaction))]
async fn a_reference_to_a_migrator_in_a_transaction(db: PgPool) -> sqlx::Result<()> {
    assert!(titles(&db).await?.is_empty());
    Ok(())
}

async fn fill(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO books (title) VALUES ('Dracula')")
        .execute(&db)
        .await
        .map(drop)
}

async fn create_and_fill(db: PgPool) {
    sqlx::query("CREATE TABLE books (id int, title text)")
        .execute(&db)
        .await
        .expect("created");
    sqlx::query("INSERT INTO books VALUES (1, 'Walden')")
        .execute(&db)
        .await
        .expect("inserted");
}

#[integration(postgres(migrator = MIGRATOR, setup = fill))]
async fn a_function_after_the_migrations(db: PgPool) -> sqlx::Result<()> {
    assert_eq!(titles(&db).await?, ["Dracula"]);
    Ok(())
}

#[integration(postgres(setup = create_and_fill))]
async fn a_function_that_returns_nothing(db: PgPool) -> sqlx::Result<()> {
    assert_eq!(titles(&db).await?, ["Walden"]);
    Ok(())
}

#[integration(postgres(setup = |db: PgPool| async move { create_and_fill(db).await }))]
async fn a_closure(db: PgPool) -> sqlx::Result<()> {
    assert_eq!(titles(&db).await?, ["Walden"]);
    Ok(())
}
