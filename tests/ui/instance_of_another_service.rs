// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;
use sqlx::PgPool;

#[integration(postgres, cache = redis)]
#[rustfmt::rstest]
async fn redis_provides_no_pool(cache: PgPool) {
    drop(cache);
}

fn main() {}
