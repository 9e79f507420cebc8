//! What tests of MariaDB do, and the schema that they have.

use sqlx::MySqlPool;

/// 40 tables without a row.
#[allow(dead_code, reason = "not every suite makes it")]
pub(crate) async fn forty_tables(db: MySqlPool) -> sqlx::Result<()> {
    let mut made =
        "CREATE TABLE customers (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(80) NOT NULL, KEY (name));
         CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, customer_id bigint NOT NULL, amount decimal(10, 2),
           FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE);"
            .to_owned();
    for number in 3..=40 {
        made.push_str(&format!(
            "CREATE TABLE more_{number} (id bigint AUTO_INCREMENT PRIMARY KEY, customer_id bigint, note varchar(80), KEY (note),
               FOREIGN KEY (customer_id) REFERENCES customers (id));"
        ));
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&db).await.map(drop)
}

/// Two inserts and a count, on one connection.
#[allow(dead_code, reason = "not every suite has tests")]
pub(crate) async fn an_order(db: &MySqlPool) -> sqlx::Result<()> {
    let mut db = db.acquire().await?;
    let customer = sqlx::query("INSERT INTO customers (name) VALUES ('Ada')")
        .execute(&mut *db)
        .await?
        .last_insert_id();
    sqlx::query("INSERT INTO orders (customer_id, amount) VALUES (?, 12.50)")
        .bind(customer)
        .execute(&mut *db)
        .await?;
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE customer_id = ?")
        .bind(customer)
        .fetch_one(&mut *db)
        .await?;
    assert_eq!(orders, 1);
    Ok(())
}
