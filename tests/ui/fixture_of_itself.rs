#[itest::fixture(narcissus)]
async fn narcissus(mirror: &u8) -> u8 {
    1
}

fn main() {}
