use itest::integration;
use sqlx::PgPool;

#[integration(postgres, retries = 1, retries = 2)]
async fn which_one(_db: PgPool) {}

fn main() {}
