use itest::integration;

#[itest::fixture]
fn api(#[option] name: String, #[default(2)] workers: usize) -> usize {
    workers
}

#[integration(api)]
#[rustfmt::rstest]
async fn without_the_one_that_has_no_default(api: &usize) {}

#[integration(api(name = "one", wrokers = 3))]
#[rustfmt::rstest]
async fn misspelt(api: &usize) {}

#[integration(api(name = "one", workers = "many"))]
#[rustfmt::rstest]
async fn of_another_type(api: &usize) {}

#[itest::fixture(api)]
async fn another_fixture(api: &usize) -> u8 {
    0
}

#[itest::fixture]
fn generic<T>() -> u8 {
    0
}

fn main() {}
