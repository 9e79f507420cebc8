use itest::service::Redis;

fn cache() -> Redis {
    itest::service::redis()
}

#[itest::fixture(cache)]
async fn api(client: &redis::Client) -> u8 {
    0
}

fn main() {}
