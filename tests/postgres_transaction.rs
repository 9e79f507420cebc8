//! `postgres(transaction)`: whatever a test does is rolled back, and nothing of it is seen by the next test on that slice.

mod support;

use std::collections::BTreeSet;

use itest::service::Postgres;
use itest::{Url, integration};
use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool, Transaction};
use support::Guests;
use support::notes::note;

/// The slice, and what the next rows are called. Two equal answers: the same slice, as good as new.
async fn book(db: &PgPool, guest: &str) -> anyhow::Result<()> {
    let database: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(db)
        .await?;
    let room: i64 = sqlx::query_scalar("INSERT INTO rooms (name) VALUES ($1) RETURNING id")
        .bind(guest)
        .fetch_one(db)
        .await?;
    let booking: i64 = sqlx::query_scalar("INSERT INTO bookings (room_id, guest) VALUES ($1, $2) RETURNING id")
        .bind(room)
        .bind(guest)
        .fetch_one(db)
        .await?;
    let ticket: i64 = sqlx::query_scalar("SELECT nextval('tickets')").fetch_one(db).await?;
    let rooms: i64 = sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(db).await?;
    note("booked", format!("{database} {room} {booking} {ticket} {rooms}"));
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
async fn the_codes_own_transactions_become_savepoints(db: PgPool) -> anyhow::Result<()> {
    let names = "SELECT coalesce(string_agg(name, ' ' ORDER BY id), '') FROM rooms";
    let add = |name: &'static str| sqlx::query("INSERT INTO rooms (name) VALUES ($1)").bind(name);

    let mut kept = db.begin().await?;
    add("kept").execute(&mut *kept).await?;
    let mut inner = kept.begin().await?;
    add("undone").execute(&mut *inner).await?;
    inner.rollback().await?;
    let mut inner = kept.begin().await?;
    add("inner").execute(&mut *inner).await?;
    inner.commit().await?;
    kept.commit().await?;

    let mut dropped = db.begin().await?;
    add("dropped").execute(&mut *dropped).await?;
    drop(dropped);
    let mut failing = db.begin().await?;
    add("kept").execute(&mut *failing).await.expect_err("the name is taken");
    failing.rollback().await?;

    assert_eq!(
        sqlx::query_scalar::<_, String>(names).fetch_one(&db).await?,
        "kept inner"
    );
    let first: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text")
        .fetch_one(&db)
        .await?;
    let second: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text")
        .fetch_one(&db)
        .await?;
    assert_eq!(first, second, "all of it is one transaction");
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
async fn a_transaction_parameter_is_within_the_tests_own(
    mut transaction: Transaction<'static, sqlx::Postgres>,
) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO rooms (name) VALUES ('blue')")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

#[tokio::test]
async fn the_next_test_on_the_same_slice_finds_the_templates_content() {
    let guests = Guests::new();
    for guest in [
        "books_through_a_pool",
        "books_through_a_connection_of_its_own",
        "books_through_a_borrowed_connection",
        "fails_after_it_has_booked",
        "ends_with_an_aborted_transaction",
        "changes_the_schema",
        "books_through_a_transaction_that_it_commits",
        "books_through_a_pool",
    ] {
        let ended = guests.run(guest).await;
        assert_eq!(ended.passed, !guest.starts_with("fails"), "{guest}: {}", ended.said);
    }
    let notes = guests.notes("booked");
    assert_eq!(notes.len(), 8, "{notes:?}");
    for note in &notes {
        // Fixture rooms 1 and 2, booking 1, ticket 100.
        assert!(note.ends_with(" 3 2 101 3"), "{notes:#?}");
    }
    let databases: BTreeSet<_> = notes.iter().map(|note| note.split(' ').next()).collect();
    assert!(
        databases.len() <= 2,
        "one is used while the other is recycled: {notes:#?}"
    );
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn books_through_a_pool(db: PgPool) -> anyhow::Result<()> {
    book(&db, "Ada").await
}

/// The same through one connection: what a pool's methods do, in one statement.
const BOOK: &str = "
WITH room AS (INSERT INTO rooms (name) VALUES ('Ada') RETURNING id),
     booking AS (INSERT INTO bookings (room_id, guest) SELECT id, 'Ada' FROM room RETURNING id)
SELECT current_database() || ' ' || room.id || ' ' || booking.id || ' ' || nextval('tickets') || ' '
    || (SELECT count(*) + 1 FROM rooms) FROM room, booking";

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn books_through_a_connection_of_its_own(mut db: PgConnection) -> anyhow::Result<()> {
    note(
        "booked",
        sqlx::query_scalar::<_, String>(BOOK).fetch_one(&mut db).await?,
    );
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn books_through_a_borrowed_connection(db: &mut PgConnection) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    note(
        "booked",
        sqlx::query_scalar::<_, String>(BOOK)
            .fetch_one(&mut *transaction)
            .await?,
    );
    transaction.commit().await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn books_through_a_transaction_that_it_commits(
    mut db: Transaction<'static, sqlx::Postgres>,
) -> anyhow::Result<()> {
    note(
        "booked",
        sqlx::query_scalar::<_, String>(BOOK).fetch_one(&mut *db).await?,
    );
    db.commit().await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn fails_after_it_has_booked(db: PgPool) -> anyhow::Result<()> {
    book(&db, "Ada").await?;
    anyhow::bail!("on purpose")
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn ends_with_an_aborted_transaction(db: PgPool) -> anyhow::Result<()> {
    book(&db, "Ada").await?;
    sqlx::raw_sql("SELECT 1 / 0")
        .execute(&db)
        .await
        .expect_err("nothing is divided by zero");
    sqlx::raw_sql("SELECT 1")
        .execute(&db)
        .await
        .expect_err("the transaction is aborted");
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn changes_the_schema(db: PgPool) -> anyhow::Result<()> {
    book(&db, "Ada").await?;
    sqlx::raw_sql(
        "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE rooms ADD COLUMN floor int; DROP TABLE bookings; ALTER SEQUENCE tickets RESTART 7; CREATE TABLE more ();
         DO $$ BEGIN EXECUTE format('ALTER ROLE %I SET search_path = nowhere', current_user); END $$",
    )
    .execute(&db)
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_raw_commit_is_noticed_and_its_slice_is_made_anew() {
    let guests = Guests::new();
    guests.pass("books_through_a_pool").await;
    guests.pass("commits_behind_our_back").await;
    guests.pass("books_through_a_pool").await;
    guests.pass("commits_and_begins_again").await;
    guests.pass("books_through_a_pool").await;
    let notes = guests.notes("booked");
    for note in &notes {
        assert!(note.ends_with(" 3 2 101 3"), "{notes:#?}");
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn commits_behind_our_back(db: PgPool) -> anyhow::Result<()> {
    book(&db, "Ada").await?;
    sqlx::raw_sql("COMMIT").execute(&db).await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn commits_and_begins_again(db: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO rooms (name) VALUES ('left'); COMMIT; BEGIN")
        .execute(&mut *db)
        .await?;
    sqlx::raw_sql("INSERT INTO rooms (name) VALUES ('more')")
        .execute(db)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_deferred_constraint_that_is_violated_fails_the_test() {
    let guests = Guests::new();
    for guest in [
        "books_no_room_through_a_pool",
        "books_no_room_through_a_borrowed_connection",
        "books_no_room_and_pauses_the_clock",
    ] {
        let said = guests.fail(guest).await;
        assert!(
            said.contains("a deferred constraint is violated at the end of the test"),
            "{said}"
        );
        assert!(said.contains("bookings_room"), "{said}");
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
#[ignore = "a guest"]
async fn books_no_room_through_a_pool(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO bookings (room_id, guest) VALUES (77, 'Ada')")
        .execute(&db)
        .await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
#[ignore = "a guest"]
async fn books_no_room_and_pauses_the_clock(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO bookings (room_id, guest) VALUES (77, 'Ada')")
        .execute(&db)
        .await?;
    tokio::time::pause();
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
#[ignore = "a guest"]
async fn books_no_room_through_a_borrowed_connection(db: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO bookings (room_id, guest) VALUES (77, 'Ada')")
        .execute(db)
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_needs_more_than_one_connection_says_so() {
    let guests = Guests::new();
    for guest in ["wants_options", "wants_a_url"] {
        let said = guests.fail(guest).await;
        assert!(
            said.contains("leads to more connections, and a `transaction` has only one"),
            "{said}"
        );
        assert!(said.contains("hint: write `postgres` without `transaction`"), "{said}");
    }
    for guest in ["wants_a_second_connection", "connects_by_the_pools_options"] {
        let said = guests.fail(guest).await;
        assert!(
            said.contains("hint: with `transaction` a test has one connection"),
            "{guest}: {said}"
        );
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(transaction))]
#[ignore = "a guest"]
fn wants_options(_options: PgConnectOptions) {}

#[integration(postgres(transaction))]
#[ignore = "a guest"]
fn wants_a_url(_url: Url<Postgres>) {}

#[integration(postgres(transaction))]
#[ignore = "a guest"]
async fn wants_a_second_connection(db: PgPool) -> anyhow::Result<()> {
    let _first = db.acquire().await?;
    db.acquire().await?;
    Ok(())
}

#[integration(postgres(transaction))]
#[ignore = "a guest"]
async fn connects_by_the_pools_options(db: PgPool) -> anyhow::Result<()> {
    PgConnection::connect_with(&db.connect_options()).await?;
    Ok(())
}

#[tokio::test]
async fn a_shared_database_is_one_for_all_and_says_so() {
    let guests = Guests::new();
    let said = guests.run("leaves_a_room_for_others").await;
    assert!(
        said.passed && said.said.contains("is shared: other tests see what this one does"),
        "{}",
        said.said
    );
    guests.pass("finds_the_room_of_another").await;
    guests.pass("books_through_a_pool").await;
    assert!(
        guests.notes("booked")[0].ends_with(" 3 2 101 3"),
        "only those who ask for it share"
    );
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(migrations = "./tests/migrations", shared))]
#[ignore = "a guest"]
async fn leaves_a_room_for_others(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("INSERT INTO rooms (name) VALUES ('for others') ON CONFLICT DO NOTHING")
        .execute(&db)
        .await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", shared))]
#[ignore = "a guest"]
async fn finds_the_room_of_another(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("UPDATE rooms SET name = 'found' WHERE name = 'for others'")
        .execute(&db)
        .await?;
    let found: Option<i64> = sqlx::query_scalar("SELECT id FROM rooms WHERE name = 'found'")
        .fetch_optional(&db)
        .await?;
    anyhow::ensure!(found.is_some(), "there is no room of another test");
    Ok(())
}
