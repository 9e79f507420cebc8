use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
#[tokio::test]
async fn once_is_enough(_db: PgPool) {}

#[integration(postgres)]
#[integration(redis)]
async fn one_attribute_for_all(_db: PgPool) {}

fn main() {}
