// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
#[rustfmt::rstest]
async fn redis_is_missing(_db: PgPool, _cache: &redis::Client) {}

fn main() {}
