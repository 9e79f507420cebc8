//! Orders as Postgres keeps them: all of an order, or nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::{Error, Result, error::violated, items};

/// What a user has ordered, at the prices of that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: i64,
    /// Who ordered.
    pub user_id: i64,
    /// The sum of all lines, in cents.
    pub total_cents: i64,
    /// What was ordered, by SKU.
    pub lines: Vec<Line>,
}

impl Order {
    /// As events and the cache carry it.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text are always valid JSON")
    }
}

/// One kind of item in an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Line {
    /// The item.
    pub sku: String,
    /// How many of it; at least one.
    pub quantity: i32,
    /// The price of one, in cents.
    pub price_cents: i64,
}

/// An order that makes sense, but has not been placed yet.
#[derive(Debug, Deserialize)]
#[serde(try_from = "OrderArgs")]
pub struct NewOrder {
    user_id: i64,
    /// By SKU: two orders always lock the items they share in the same order, so they can't deadlock.
    quantities: BTreeMap<String, i32>,
}

/// An order as a caller writes it.
#[derive(Deserialize)]
struct OrderArgs {
    user_id: i64,
    lines: Vec<LineArgs>,
}

#[derive(Deserialize)]
struct LineArgs {
    sku: String,
    quantity: i32,
}

impl TryFrom<OrderArgs> for NewOrder {
    type Error = &'static str;

    fn try_from(OrderArgs { user_id, lines }: OrderArgs) -> Result<Self, &'static str> {
        if lines.is_empty() {
            return Err("an order needs at least one line");
        }
        let mut quantities = BTreeMap::new();
        for LineArgs { sku, quantity } in lines {
            if quantity < 1 {
                return Err("`quantity` must be at least 1");
            }
            let sum: &mut i32 = quantities.entry(sku).or_default();
            *sum = sum.checked_add(quantity).ok_or("`quantity` is too large")?;
        }
        Ok(Self { user_id, quantities })
    }
}

/// Stores an order and takes its items out of the stock, in one transaction.
///
/// # Errors
/// [`Error::UnknownItem`], [`Error::OutOfStock`], [`Error::UnknownUser`], or the database fails. Nothing has changed then.
pub async fn store(db: &PgPool, new: &NewOrder) -> Result<Order> {
    // An error drops the transaction before its end, which rolls it back.
    let mut transaction = db.begin().await?;
    let lines = take_items(&mut transaction, &new.quantities).await?;
    let total_cents = lines
        .iter()
        .map(|line| line.price_cents * i64::from(line.quantity))
        .sum();
    let id = insert_order(&mut transaction, new.user_id, total_cents).await?;
    for line in &lines {
        insert_line(&mut transaction, id, line).await?;
    }
    transaction.commit().await?;
    Ok(Order {
        id,
        user_id: new.user_id,
        total_cents,
        lines,
    })
}

/// Reads one order with its lines.
///
/// # Errors
/// [`Error::NotFound`], or the database fails.
pub async fn find(db: &PgPool, id: i64) -> Result<Order> {
    let (user_id, total_cents) = sqlx::query_as("SELECT user_id, total_cents FROM orders WHERE id = $1")
        .bind(id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("order"))?;
    let lines = sqlx::query_as("SELECT sku, quantity, price_cents FROM order_lines WHERE order_id = $1 ORDER BY sku")
        .bind(id)
        .fetch_all(db)
        .await?;
    Ok(Order {
        id,
        user_id,
        total_cents,
        lines,
    })
}

async fn take_items(db: &mut PgConnection, quantities: &BTreeMap<String, i32>) -> Result<Vec<Line>> {
    let mut lines = Vec::with_capacity(quantities.len());
    for (sku, &quantity) in quantities {
        let price_cents = items::take(db, sku, quantity).await?;
        lines.push(Line {
            sku: sku.clone(),
            quantity,
            price_cents,
        });
    }
    Ok(lines)
}

async fn insert_order(db: &mut PgConnection, user_id: i64, total_cents: i64) -> Result<i64> {
    sqlx::query_scalar("INSERT INTO orders (user_id, total_cents) VALUES ($1, $2) RETURNING id")
        .bind(user_id)
        .bind(total_cents)
        .fetch_one(db)
        .await
        .map_err(|error| match violated(&error) {
            Some("orders_user_exists") => Error::UnknownUser { user_id },
            _ => error.into(),
        })
}

async fn insert_line(db: &mut PgConnection, order_id: i64, line: &Line) -> Result<()> {
    sqlx::query("INSERT INTO order_lines (order_id, sku, quantity, price_cents) VALUES ($1, $2, $3, $4)")
        .bind(order_id)
        .bind(&line.sku)
        .bind(line.quantity)
        .bind(line.price_cents)
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::NewOrder;

    #[test]
    fn lines_of_the_same_item_are_one_line() {
        let lines = r#"[{"sku": "pen", "quantity": 2}, {"sku": "ink", "quantity": 1}, {"sku": "pen", "quantity": 3}]"#;
        let order: NewOrder = serde_json::from_str(&format!(r#"{{"user_id": 1, "lines": {lines}}}"#)).unwrap();
        assert_eq!(order.quantities, [("ink".to_owned(), 1), ("pen".to_owned(), 5)].into());
    }

    #[test]
    fn an_order_of_nothing_is_refused() {
        for lines in [
            "[]",
            r#"[{"sku": "pen", "quantity": 0}]"#,
            r#"[{"sku": "pen", "quantity": -1}]"#,
        ] {
            let order = serde_json::from_str::<NewOrder>(&format!(r#"{{"user_id": 1, "lines": {lines}}}"#));
            assert!(order.is_err(), "{lines} was taken for an order");
        }
    }
}
