//! The way of an order: table, stream, cache; and back again.
//!
//! Postgres alone decides whether there is an order. What Redis is told comes after the commit, so that no reader ever
//! hears of an order which is then rolled back. A Redis that fails costs an event or a cache entry, not an order.

use redis::RedisResult;

use crate::{
    AppState, Result, cache, events,
    orders::{self, NewOrder, Order},
};

/// Places an order: stores it, publishes the event, fills the cache.
///
/// # Errors
/// As [`orders::store`]. Nothing has happened then.
pub async fn place(app: &AppState, new: &NewOrder) -> Result<Order> {
    let order = orders::store(&app.db, new).await?;
    let mut redis = app.redis.clone();
    report(
        "publish the event",
        &order,
        events::publish_order(&mut redis, &order).await,
    );
    report("fill the cache", &order, cache::put(&mut redis, &order).await);
    Ok(order)
}

/// Reads an order from the cache, or else from the database, and then fills the cache.
///
/// # Errors
/// As [`orders::find`].
pub async fn find(app: &AppState, id: i64) -> Result<Order> {
    let mut redis = app.redis.clone();
    if let Ok(Some(order)) = cache::get(&mut redis, id).await {
        return Ok(order);
    }
    let order = orders::find(&app.db, id).await?;
    report("fill the cache", &order, cache::put(&mut redis, &order).await);
    Ok(order)
}

fn report(what: &str, order: &Order, result: RedisResult<()>) {
    if let Err(error) = result {
        eprintln!("failed to {what} for order {}: {error}", order.id);
    }
}
