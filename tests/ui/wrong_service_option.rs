// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;
use sqlx::PgPool;

#[integration(postgres(versoin = "16"))]
#[rustfmt::rstest]
async fn a_word_that_postgres_does_not_know(_db: PgPool) {}

#[integration(postgres(transaction = true))]
#[rustfmt::rstest]
async fn a_value_for_a_bare_word(_db: PgPool) {}

fn main() {}
