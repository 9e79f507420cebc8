//! What has happened, for other services to read: the Redis stream `orders`.

use redis::{AsyncCommands, RedisResult, streams::StreamMaxlen};

use crate::orders::Order;

/// The stream's key.
pub const STREAM: &str = "orders";

/// The `event` field of the entry that tells of a new order.
pub const ORDER_PLACED: &str = "order_placed";

/// How many entries readers can rely on to find; Redis trims the stream when it grows well beyond that.
const KEPT: usize = 100_000;

/// Tells the world of a new order. The entry has the fields `event`, `order_id` and `order` (JSON).
///
/// # Errors
/// Redis fails.
pub async fn publish_order(redis: &mut impl AsyncCommands, order: &Order) -> RedisResult<()> {
    let (id, json) = (order.id.to_string(), order.to_json());
    let fields = [("event", ORDER_PLACED), ("order_id", &id), ("order", &json)];
    let _id: Option<String> = redis
        .xadd_maxlen(STREAM, StreamMaxlen::Approx(KEPT), "*", &fields)
        .await?;
    Ok(())
}
