//! Templates that begin with the same migrations are made upon one: those run once.

use itest::integration;
use sqlx::PgPool;

use crate::support::Guests;
use crate::support::notes::note;

async fn one(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("INSERT INTO things VALUES ('one'); SELECT nextval('numbers')")
        .execute(&db)
        .await
        .map(drop)
}

async fn two(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("INSERT INTO things VALUES ('two'); CREATE TABLE more (thing int)")
        .execute(&db)
        .await
        .map(drop)
}

/// Notes when the migrations ran, and what is there.
async fn look(db: &PgPool) -> sqlx::Result<()> {
    let made: String = sqlx::query_scalar("SELECT at::text FROM made").fetch_one(db).await?;
    note("made", made);
    let things: Vec<String> = sqlx::query_scalar("SELECT name FROM things").fetch_all(db).await?;
    let number: i64 = sqlx::query_scalar("SELECT nextval('numbers')").fetch_one(db).await?;
    note("things", format!("{things:?} {number}"));
    // What the migrations made and what came upon it belong to the test alike.
    sqlx::raw_sql("ALTER TABLE things ADD COLUMN size int; DROP TABLE made; DROP TABLE IF EXISTS more")
        .execute(db)
        .await
        .map(drop)
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", setup = one))]
#[ignore = "a guest"]
async fn has_one(db: PgPool) -> sqlx::Result<()> {
    look(&db).await
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", setup = two))]
#[ignore = "a guest"]
async fn has_two(db: PgPool) -> sqlx::Result<()> {
    look(&db).await
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", setup = one, setup = two))]
#[ignore = "a guest"]
async fn has_both(db: PgPool) -> sqlx::Result<()> {
    look(&db).await
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time"))]
#[ignore = "a guest"]
async fn has_neither(db: PgPool) -> sqlx::Result<()> {
    look(&db).await
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", setup = one, transaction))]
#[ignore = "a guest"]
async fn has_one_in_a_transaction(db: PgPool) -> sqlx::Result<()> {
    look(&db).await
}

const GUESTS: [&str; 5] = [
    "base::has_one",
    "base::has_two",
    "base::has_both",
    "base::has_neither",
    "base::has_one_in_a_transaction",
];

#[tokio::test]
async fn what_templates_begin_with_is_built_once() {
    let guests = Guests::new();
    guests.pass_together(&GUESTS).await;
    // Recycled, they are as they were.
    for guest in GUESTS {
        guests.pass(guest).await;
    }
    let mut made = guests.notes("made");
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 1, "the migrations ran at {made:?}");
    let mut things = guests.notes("things");
    things.sort();
    let expected = [
        r#"["one", "two"] 2"#,
        r#"["one"] 2"#,
        r#"["one"] 2"#,
        r#"["two"] 1"#,
        "[] 1",
    ];
    let mut twice: Vec<_> = expected
        .iter()
        .chain(&expected)
        .map(|line| (*line).to_owned())
        .collect();
    twice.sort();
    assert_eq!(things, twice);
}
