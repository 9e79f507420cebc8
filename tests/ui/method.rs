use itest::integration;
use sqlx::PgPool;

struct Suite;

impl Suite {
    #[integration(postgres)]
    async fn in_an_impl(&self, _db: PgPool) {}
}

fn main() {}
