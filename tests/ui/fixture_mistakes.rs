struct Api;

#[itest::fixture(retries = 2, teardown_timeout = "1s", postgers = redis)]
const fn api(#[case] name: String, #[default] workers: usize, (a, b): (u8, u8)) -> impl Sized {
    Api
}

#[itest::fixture(teardown = close)]
fn with_a_teardown_that_takes_something_else() -> Api {
    Api
}

fn close(number: u32) {}

#[itest::fixture]
async fn with_a_body_that_is_wrong() -> u8 {
    "text"
}

#[itest::fixture]
struct NotAFunction;

fn main() {}
