use itest::integration;

#[integration(postgres)]
struct Suite;

fn main() {}
