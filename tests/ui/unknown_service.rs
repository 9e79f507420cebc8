// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;
use sqlx::PgPool;

#[integration(postgress)]
#[rustfmt::rstest]
async fn misspelt(_db: PgPool) {}

fn main() {}
