//! `flavor` and `worker_threads`: the tokio runtime that a test runs on.

use itest::integration;
use sqlx::PgPool;
use tokio::runtime::{Handle, RuntimeFlavor};

#[integration(postgres)]
async fn one_thread_unless_told_otherwise(_db: PgPool) {
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::CurrentThread);
}

#[integration(postgres, flavor = "current_thread")]
async fn one_thread_when_told_so(_db: PgPool) {
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::CurrentThread);
}

#[integration(postgres, flavor = "multi_thread")]
async fn many_threads_when_told_so(db: PgPool) {
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::MultiThread);
    // What is spawned goes on while the test's own thread is blocked.
    let asked = tokio::spawn(async move { sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&db).await });
    let answered = tokio::task::block_in_place(|| Handle::current().block_on(asked));
    assert_eq!(answered.expect("it ends").expect("it answers"), 1);
}

#[integration(postgres, flavor = "multi_thread", worker_threads = 3)]
async fn as_many_threads_as_told(_db: PgPool) {
    assert_eq!(Handle::current().metrics().num_workers(), 3);
}

#[integration(redis)]
#[expect(clippy::large_stack_arrays, reason = "that is what is tested")]
async fn a_large_future_fits_on_a_test_threads_stack(_redis: redis::Client) {
    let large = [7_u8; 800_000];
    tokio::task::yield_now().await;
    assert_eq!(std::hint::black_box(&large)[9], 7);
}

#[integration(redis, timeout = "60s")]
async fn a_paused_clock_is_not_the_timeouts(_redis: redis::Client) {
    tokio::time::pause();
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
}

#[integration(postgres)]
async fn r#match(db: sqlx::PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}
