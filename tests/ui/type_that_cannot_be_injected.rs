// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;

#[integration(postgres)]
#[rustfmt::rstest]
async fn a_plain_number(_db: u32) {}

fn main() {}
