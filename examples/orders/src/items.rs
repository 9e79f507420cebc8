//! The things that can be ordered, and how many of each there are.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::{
    Error, Result,
    error::violated,
    page::{Page, PageRequest},
};

/// Something to order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(try_from = "ItemArgs")]
pub struct Item {
    sku: String,
    name: String,
    price_cents: i64,
    stock: i32,
}

/// An item as a caller writes it.
#[derive(Deserialize)]
struct ItemArgs {
    sku: String,
    name: String,
    price_cents: i64,
    stock: i32,
}

impl TryFrom<ItemArgs> for Item {
    type Error = &'static str;

    fn try_from(
        ItemArgs {
            sku,
            name,
            price_cents,
            stock,
        }: ItemArgs,
    ) -> Result<Self, &'static str> {
        if sku.trim().is_empty() || name.trim().is_empty() {
            return Err("an item needs a `sku` and a `name`");
        }
        if !(1..=100_000_000).contains(&price_cents) {
            return Err("`price_cents` must be from 1 to 100000000");
        }
        if stock < 0 {
            return Err("`stock` must not be negative");
        }
        Ok(Self {
            sku,
            name,
            price_cents,
            stock,
        })
    }
}

/// Adds an item.
///
/// # Errors
/// [`Error::SkuTaken`], or the database fails.
pub async fn create(db: &PgPool, item: &Item) -> Result<()> {
    sqlx::query("INSERT INTO items (sku, name, price_cents, stock) VALUES ($1, $2, $3, $4)")
        .bind(&item.sku)
        .bind(&item.name)
        .bind(item.price_cents)
        .bind(item.stock)
        .execute(db)
        .await
        .map_err(|error| {
            if violated(&error) == Some("items_pkey") {
                Error::SkuTaken
            } else {
                error.into()
            }
        })?;
    Ok(())
}

/// Reads one item.
///
/// # Errors
/// [`Error::NotFound`], or the database fails.
pub async fn find(db: &PgPool, sku: &str) -> Result<Item> {
    sqlx::query_as("SELECT sku, name, price_cents, stock FROM items WHERE sku = $1")
        .bind(sku)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("item"))
}

/// Reads one page of all items, by SKU.
///
/// # Errors
/// The database fails.
pub async fn list(db: &PgPool, page: PageRequest) -> Result<Page<Item>> {
    let items = sqlx::query_as("SELECT sku, name, price_cents, stock FROM items ORDER BY sku LIMIT $1 OFFSET $2")
        .bind(page.limit())
        .bind(page.offset())
        .fetch_all(db)
        .await?;
    let total = sqlx::query_scalar("SELECT count(*) FROM items").fetch_one(db).await?;
    Ok(page.of(items, total))
}

/// Takes `quantity` of an item out of the stock, and returns the price of one in cents.
///
/// The item stays locked until the caller's transaction ends, so that two orders can't take the same piece.
pub(crate) async fn take(db: &mut PgConnection, sku: &str, quantity: i32) -> Result<i64> {
    let taken = "UPDATE items SET stock = stock - $2 WHERE sku = $1 AND stock >= $2 RETURNING price_cents";
    if let Some(price) = sqlx::query_scalar(taken)
        .bind(sku)
        .bind(quantity)
        .fetch_optional(&mut *db)
        .await?
    {
        return Ok(price);
    }
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM items WHERE sku = $1)")
        .bind(sku)
        .fetch_one(db)
        .await?;
    let sku = sku.to_owned();
    if exists {
        Err(Error::OutOfStock { sku })
    } else {
        Err(Error::UnknownItem { sku })
    }
}
