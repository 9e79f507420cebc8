use itest::integration;

struct Api;

#[itest::fixture]
fn api() -> Api {
    Api
}

#[integration(api)]
#[rustfmt::rstest]
async fn by_value(api: Api) {}

#[integration(api)]
#[rustfmt::rstest]
async fn exclusively(api: &mut Api) {}

fn main() {}
