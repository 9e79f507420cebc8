use itest::integration;

struct Api;

#[itest::fixture(redis)]
async fn api(name: String) -> Api {
    Api
}

#[itest::fixture(redis)]
async fn cached(cache: &redis::Client) -> u8 {
    0
}

#[integration(cached)]
#[rustfmt::rstest]
async fn a_test(cached: u8, db: sqlx::PgPool) {}

fn main() {}
