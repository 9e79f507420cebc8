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
