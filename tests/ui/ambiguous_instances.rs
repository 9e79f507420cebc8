use itest::integration;
use sqlx::PgPool;

#[integration(orders = postgres, billing = postgres)]
async fn which_one(_db: PgPool) {}

fn main() {}
