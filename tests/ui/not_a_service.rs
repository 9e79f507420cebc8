// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;

fn answer() -> u8 {
    42
}

#[integration(answer)]
#[rustfmt::rstest]
async fn a_function_that_returns_no_service() {}

fn main() {}
