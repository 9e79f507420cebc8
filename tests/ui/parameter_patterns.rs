use itest::integration;
use sqlx::PgPool;

struct Wrapped(PgPool);

#[integration(postgres)]
async fn a_pattern(Wrapped(db): Wrapped, _: PgPool) {
    drop(db);
}

fn main() {}
