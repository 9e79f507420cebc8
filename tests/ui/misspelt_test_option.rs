use itest::integration;
use sqlx::PgPool;

#[integration(postgres, time_out = "30s")]
async fn nearly_an_option(_db: PgPool) {}

#[integration(postgres, version = "16")]
async fn an_option_of_the_service(_db: PgPool) {}

#[integration(postgres, timeout)]
async fn an_option_without_a_value(_db: PgPool) {}

fn main() {}
