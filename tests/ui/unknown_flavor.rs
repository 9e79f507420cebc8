use itest::integration;
use sqlx::PgPool;

#[integration(postgres, flavor = "vanilla")]
async fn not_a_flavor(_db: PgPool) {}

#[integration(postgres, flavor = multi_thread)]
async fn not_in_quotes(_db: PgPool) {}

fn main() {}
