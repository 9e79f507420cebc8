use itest::integration;
use sqlx::PgPool;

#[integration(postgres(version = ), postgres, postgres, timeout = "soon", retries = "many", flavour = "multi_thread")]
async fn all_wrong<T>(_db: &&PgPool, _: u8) {
    let _: Option<u8> = None;
}

fn main() {}
