// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
#[rustfmt::rstest]
async fn a_number(_db: PgPool) -> u32 {
    42
}

#[integration(postgres)]
#[rustfmt::rstest]
async fn a_result_with_a_value(_db: PgPool) -> Result<u32, std::io::Error> {
    Ok(42)
}

fn main() {}
