use itest::integration;

#[integration]
async fn nothing_is_declared() {}

fn main() {}
