//! What a test may return, and what counts as failing.

use std::fmt;

use itest::integration;
use sqlx::PgPool;

/// An error of which nothing is known but how to show it.
struct Bare;

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shelf is empty")
    }
}

#[integration(postgres)]
async fn nothing(_db: PgPool) {}

#[integration(postgres)]
async fn a_result_of_a_concrete_error(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}

#[integration(postgres)]
async fn a_result_of_an_error_that_is_no_error(_db: PgPool) -> Result<(), Bare> {
    Ok(())
}

#[integration(redis)]
fn a_result_of_a_blocking_test() -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

#[integration(postgres)]
#[should_panic(expected = "the shelf is empty")]
async fn a_panic_that_is_expected(_db: PgPool) {
    panic!("the shelf is empty, and the reader waits");
}

#[integration(postgres)]
#[should_panic(expected = "the shelf is empty")]
async fn an_error_that_is_expected(_db: PgPool) -> Result<(), Bare> {
    Err(Bare)
}

#[integration(postgres)]
#[should_panic(expected = "books")]
fn a_panic_of_a_blocking_test_that_is_expected(_db: PgPool) {
    panic!("no {}", "books");
}

#[integration(postgres)]
#[should_panic(expected = "division by zero")]
async fn an_error_of_the_server_that_is_expected(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1/0").execute(&db).await.map(drop)
}
