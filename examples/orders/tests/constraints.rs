//! What the database itself refuses, whatever the service does. These tests need no pool, just one connection.

use itest::integration;
use sqlx::{Connection, PgConnection};

#[integration(postgres(migrations = "./migrations", fixtures("catalog")))]
async fn stock_never_falls_below_zero(db: &mut PgConnection) {
    let result = sqlx::query("UPDATE items SET stock = stock - 2 WHERE sku = 'map'")
        .execute(db)
        .await;
    assert_eq!(violated(result), "items_stock_is_not_negative");
}

#[integration(postgres(migrations = "./migrations", fixtures("catalog")))]
async fn nothing_is_free(db: &mut PgConnection) {
    let result = sqlx::query("UPDATE items SET price_cents = 0 WHERE sku = 'pen'")
        .execute(db)
        .await;
    assert_eq!(violated(result), "items_price_is_positive");
}

#[integration(postgres(migrations = "./migrations"))]
async fn an_order_belongs_to_a_user(db: &mut PgConnection) {
    let result = sqlx::query("INSERT INTO orders (user_id, total_cents) VALUES (1, 100)")
        .execute(db)
        .await;
    assert_eq!(violated(result), "orders_user_exists");
}

// This constraint is checked by the commit, so there must be a real one: not a case for `transaction`.
#[integration(postgres(migrations = "./migrations", fixtures("catalog")))]
async fn an_order_whose_lines_do_not_add_up_is_not_committed(db: &mut PgConnection) -> anyhow::Result<()> {
    let ada: i64 = sqlx::query_scalar("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com') RETURNING id")
        .fetch_one(&mut *db)
        .await?;

    for (total_cents, adds_up) in [(2 * 2500, true), (2 * 2500 + 1, false)] {
        let mut transaction = db.begin().await?;
        let id: i64 = sqlx::query_scalar("INSERT INTO orders (user_id, total_cents) VALUES ($1, $2) RETURNING id")
            .bind(ada)
            .bind(total_cents)
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO order_lines (order_id, sku, quantity, price_cents) VALUES ($1, 'pen', 2, 2500)")
            .bind(id)
            .execute(&mut *transaction)
            .await?;

        let committed = transaction.commit().await;
        if adds_up {
            committed?;
        } else {
            assert_eq!(violated(committed), "orders_total_is_sum_of_lines");
        }
    }
    Ok(())
}

/// The constraint that made a statement fail.
fn violated<T: std::fmt::Debug>(result: sqlx::Result<T>) -> String {
    let error = result.expect_err("the database must refuse this");
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    constraint
        .unwrap_or_else(|| panic!("failed for another reason: {error}"))
        .to_owned()
}
