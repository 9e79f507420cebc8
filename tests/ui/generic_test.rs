use itest::integration;
use sqlx::PgPool;

#[integration(postgres)]
async fn of_any_type<T: Default, const N: usize>(_db: PgPool) {
    let _ = [(); N].map(|()| T::default());
}

fn main() {}
