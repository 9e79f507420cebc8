use itest::integration;
use sqlx::PgPool;

#[integration(postgres, worker_threads = 4)]
async fn the_default_flavor(_db: PgPool) {}

#[integration(postgres, flavor = "multi_thread", worker_threads = 0)]
async fn nobody_works(_db: PgPool) {}

fn main() {}
