//! How long it takes until a test's body begins.

#[path = "support/clock.rs"]
mod clock;

use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
async fn start_blank(_db: PgPool) {
    clock::reached();
}

#[integration(postgres(migrations = "./migrations", transaction))]
async fn start_migrated(_db: PgPool) {
    clock::reached();
}

/// As far as one gets by hand.
#[integration(postgres)]
async fn start_query(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await?;
    clock::reached();
    Ok(())
}

static BEGAN: Mutex<Option<Instant>> = Mutex::new(None);

fn body_began() {
    *BEGAN.lock().expect("nobody panics with it") = Some(Instant::now());
}

/// Runs one test again and again, and prints how long after its call its body began. `pause` is long enough for the slice
/// to be clean again: what is measured is the way to a slice that is ready.
fn measure(test: impl Fn(), times: u32, pause: Duration) {
    for _ in 0..times {
        let called = Instant::now();
        test();
        let began = BEGAN.lock().expect("nobody panics with it").expect("the body ran");
        println!("took={}", began.duration_since(called).as_nanos());
        sleep(pause);
    }
}

#[integration(postgres(migrations = "./migrations", transaction))]
async fn one_transaction() {
    body_began();
}

#[test]
fn acquire_transaction() {
    measure(one_transaction, 50, Duration::from_millis(20));
}

#[integration(postgres(migrations = "./migrations", transaction))]
async fn one_connected_transaction(_db: PgPool) {
    body_began();
}

#[test]
fn acquire_connected_transaction() {
    measure(one_connected_transaction, 50, Duration::from_millis(20));
}

#[integration(postgres(migrations = "./migrations", database))]
async fn one_database() {
    body_began();
}

#[test]
fn acquire_database() {
    measure(one_database, 15, Duration::from_millis(200));
}
