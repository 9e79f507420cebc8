use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
async fn lent_twice(_db: &&PgPool) {}

fn main() {}
