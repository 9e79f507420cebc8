use itest::integration;

#[integration(postgres)]
unsafe fn dangerous() {}

#[integration(postgres)]
extern "C" fn foreign() {}

#[integration(postgres)]
const fn constant() {}

fn main() {}
