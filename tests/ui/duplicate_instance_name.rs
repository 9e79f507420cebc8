use itest::integration;
use sqlx::PgPool;

#[integration(orders = postgres, orders = postgres)]
async fn which_one(orders: PgPool) {
    drop(orders);
}

fn main() {}
