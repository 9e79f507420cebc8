//! `timeout`, `retries`, `retry_delay`. How they fail is told by `a_failure_explains_itself`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use itest::integration;
use redis::{AsyncCommands, aio::ConnectionManager};
use sqlx::PgPool;

#[integration(postgres, timeout = "1h")]
async fn a_test_in_time_passes(_db: PgPool) {}

#[integration(postgres, redis, retries = 2)]
async fn each_attempt_gets_a_clean_slice(db: PgPool, mut cache: ConnectionManager) -> anyhow::Result<()> {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed) + 1;
    sqlx::query("CREATE TABLE made_by_this_attempt ()").execute(&db).await?;
    assert_eq!(cache.set_nx::<_, _, i32>("made", "by this attempt").await?, 1);
    anyhow::ensure!(
        attempt == 3,
        "the first two attempts fail, and this is attempt {attempt}"
    );
    Ok(())
}

#[integration(postgres, retries = 5)]
async fn a_test_that_passes_is_not_tried_again(_db: PgPool) {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    assert_eq!(ATTEMPTS.fetch_add(1, Ordering::Relaxed), 0);
}

#[integration(redis, retries = 1, retry_delay = "300ms")]
async fn there_is_a_pause_between_two_attempts(_cache: redis::Client) {
    static FAILED: Mutex<Option<Instant>> = Mutex::new(None);
    let failed = FAILED.lock().expect("nobody panics with it").replace(Instant::now());
    let failed = failed.unwrap_or_else(|| panic!("the first attempt fails"));
    assert!(failed.elapsed() >= Duration::from_millis(300), "{:?}", failed.elapsed());
}

#[integration(postgres, retries = 1)]
fn a_blocking_test_is_tried_again_too(_db: PgPool) {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    assert_eq!(ATTEMPTS.fetch_add(1, Ordering::Relaxed), 1, "the first attempt fails");
}

#[integration(postgres, retries = 3)]
#[should_panic(expected = "attempt 4")]
async fn the_last_attempt_decides(_db: PgPool) {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    panic!("attempt {}", ATTEMPTS.fetch_add(1, Ordering::Relaxed) + 1);
}
