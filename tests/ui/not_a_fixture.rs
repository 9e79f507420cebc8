use itest::integration;

struct Api;

fn helper() -> Api {
    Api
}

#[integration(helper)]
#[rustfmt::rstest]
async fn a_test(helper: &Api) {}

#[itest::fixture(helper)]
async fn a_fixture(helper: &Api) -> u8 {
    0
}

fn main() {}
