use itest::integration;
use sqlx::PgPool;

#[integration(postgres, retries = -1)]
async fn fewer_than_none(_db: PgPool) {}

#[integration(postgres, retries = 4294967296)]
async fn more_than_ever(_db: PgPool) {}

fn main() {}
