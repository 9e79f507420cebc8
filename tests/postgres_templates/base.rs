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

/// Notes when the fixture file ran, and spoils all that it made.
async fn look_at_files(db: &PgPool) -> sqlx::Result<()> {
    let filled: String = sqlx::query_scalar("SELECT at::text FROM filled").fetch_one(db).await?;
    note("filled", filled);
    let things: Vec<String> = sqlx::query_scalar("SELECT name FROM things").fetch_all(db).await?;
    let number: i64 = sqlx::query_scalar("SELECT nextval('numbers')").fetch_one(db).await?;
    note("things", format!("{things:?} {number}"));
    sqlx::raw_sql("DELETE FROM things; ALTER TABLE filled ADD COLUMN size int")
        .execute(db)
        .await
        .map(drop)
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", fixtures("quick")))]
#[ignore = "a guest"]
async fn has_a_quick_file(db: PgPool) -> sqlx::Result<()> {
    look_at_files(&db).await
}

#[integration(postgres(migrations = "./tests/migrations_that_note_the_time", fixtures("slow")))]
#[ignore = "a guest"]
async fn has_a_slow_file(db: PgPool) -> sqlx::Result<()> {
    look_at_files(&db).await
}

#[tokio::test]
async fn a_quick_file_is_run_for_each_test_on_a_slice_of_the_base() {
    let guests = Guests::new();
    for _ in 0..4 {
        guests.pass("base::has_a_quick_file").await;
        guests.pass("base::has_neither").await;
    }
    let mut filled = guests.notes("filled");
    filled.dedup();
    assert_eq!(filled.len(), 4, "{filled:?}");
    let things = guests.notes("things");
    assert!(
        things.chunks(2).all(|pair| pair == [r#"["quick"] 2"#, "[] 1"]),
        "nothing of it is left for those without it: {things:?}"
    );
}

#[tokio::test]
async fn a_slow_file_earns_a_template() {
    let guests = Guests::new();
    for _ in 0..4 {
        guests.pass("base::has_a_slow_file").await;
    }
    let mut filled = guests.notes("filled");
    filled.dedup();
    assert_eq!(
        filled.len(),
        2,
        "once for the first test, and once for all others: {filled:?}"
    );
    assert_eq!(guests.notes("things"), [r#"["slow"] 1"#; 4]);
}
