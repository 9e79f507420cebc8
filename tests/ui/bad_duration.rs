use itest::integration;
use sqlx::PgPool;

#[integration(postgres, timeout = "half an hour")]
async fn the_unit_is_unknown(_db: PgPool) {}

#[integration(postgres, timeout = 30)]
async fn a_number_has_no_unit(_db: PgPool) {}

#[integration(postgres, timeout = "0s")]
async fn no_time_at_all(_db: PgPool) {}

fn main() {}
