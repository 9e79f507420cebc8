//! Events and cache alone. These tests need a Redis and nothing else.

use itest::integration;
use orders::{
    cache, events,
    orders::{Line, Order},
};
use redis::{AsyncCommands, Client, aio::MultiplexedConnection, streams::StreamRangeReply};

#[integration(redis)]
async fn events_are_read_in_the_order_in_which_they_were_published(
    redis: &mut MultiplexedConnection,
) -> anyhow::Result<()> {
    for id in [1, 2, 3] {
        events::publish_order(redis, &order(id)).await?;
    }

    let stream: StreamRangeReply = redis.xrange_all(events::STREAM).await?;
    let ids: Vec<i64> = stream.ids.iter().filter_map(|event| event.get("order_id")).collect();
    assert_eq!(ids, [1, 2, 3]);
    Ok(())
}

#[integration(redis)]
async fn a_cached_order_is_found_and_will_be_forgotten(client: Client) -> anyhow::Result<()> {
    let mut redis = client.get_multiplexed_async_connection().await?;

    cache::put(&mut redis, &order(1)).await?;
    assert_eq!(cache::get(&mut redis, 1).await?, Some(order(1)));
    assert_eq!(cache::get(&mut redis, 2).await?, None);

    let seconds_left: u64 = redis.ttl(cache::key(1)).await?;
    assert!((1..=cache::LIFETIME).contains(&seconds_left), "{seconds_left} s left");
    Ok(())
}

#[integration(redis)]
async fn a_cache_entry_that_nobody_understands_counts_as_missing(
    redis: &mut MultiplexedConnection,
) -> anyhow::Result<()> {
    let () = redis
        .set(cache::key(1), r#"{ "written by": "an older version" }"#)
        .await?;
    assert_eq!(cache::get(redis, 1).await?, None);
    Ok(())
}

fn order(id: i64) -> Order {
    let lines = vec![Line {
        sku: "pen".to_owned(),
        quantity: 2,
        price_cents: 2500,
    }];
    Order {
        id,
        user_id: 1,
        total_cents: 5000,
        lines,
    }
}
