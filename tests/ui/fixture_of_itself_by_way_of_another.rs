use itest::integration;

#[itest::fixture(hen)]
async fn egg(hen: &u8) -> u8 {
    1
}

#[itest::fixture(egg)]
async fn hen(egg: &u8) -> u8 {
    1
}

#[integration(hen)]
#[rustfmt::rstest]
async fn a_test(hen: &u8) {}

fn main() {}
