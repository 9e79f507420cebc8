//! Orders that were read or written lately, in Redis. Orders don't change, so an entry is never wrong, only missing.

use redis::{AsyncCommands, RedisResult};

use crate::orders::Order;

/// How long an entry lives, in seconds.
pub const LIFETIME: u64 = 300;

/// The key under which an order lies.
pub fn key(order_id: i64) -> String {
    format!("order:{order_id}")
}

/// Puts an order into the cache.
///
/// # Errors
/// Redis fails.
pub async fn put(redis: &mut impl AsyncCommands, order: &Order) -> RedisResult<()> {
    redis.set_ex(key(order.id), order.to_json(), LIFETIME).await
}

/// Looks for an order. An entry that can't be read (an older version wrote it) counts as missing.
///
/// # Errors
/// Redis fails.
pub async fn get(redis: &mut impl AsyncCommands, order_id: i64) -> RedisResult<Option<Order>> {
    let json: Option<String> = redis.get(key(order_id)).await?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}
