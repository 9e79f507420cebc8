use itest::integration;
use sqlx::PgPool;

#[integration(postgres, postgres(version = "16"))]
async fn which_one(_db: PgPool) {}

fn main() {}
