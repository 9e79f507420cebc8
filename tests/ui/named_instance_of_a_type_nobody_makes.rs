// trybuild builds a binary, in which a `#[test]` isn't compiled. `rustfmt::rstest` does nothing, but keeps it away.
use itest::integration;

#[integration(cache = redis)]
#[rustfmt::rstest]
async fn a_plain_number(cache: &mut u32) {
    *cache += 1;
}

fn main() {}
