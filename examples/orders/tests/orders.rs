//! The way of an order, over HTTP: table, stream and cache, or nothing at all.

mod support;

use itest::integration;
use orders::{cache, events, orders::Order};
use redis::{AsyncCommands, aio::ConnectionManager, streams::StreamRangeReply};
use serde_json::json;
use sqlx::PgPool;
use support::api::{Api, ada, api, api_in_transaction, sign_up};

#[integration(api, ada)]
async fn an_order_lands_in_table_stream_and_cache(
    api: &Api,
    ada: i64,
    db: PgPool,
    mut redis: ConnectionManager,
) -> anyhow::Result<()> {
    let lines = json!([{ "sku": "pen", "quantity": 2 }, { "sku": "ink", "quantity": 1 }]);
    let placed = api.post("/orders", json!({ "user_id": ada, "lines": lines })).await?;
    assert_eq!(placed.status, 201);
    assert_eq!(placed.body["total_cents"], 2 * 2500 + 800);
    let order: Order = serde_json::from_value(placed.body)?;

    assert_eq!(orders::orders::find(&db, order.id).await?, order);

    let stream: StreamRangeReply = redis.xrange_all(events::STREAM).await?;
    let [event] = &stream.ids[..] else {
        panic!("one order is one event: {stream:?}")
    };
    assert_eq!(event.get("event"), Some(events::ORDER_PLACED.to_owned()));
    assert_eq!(event.get("order_id"), Some(order.id));

    assert_eq!(cache::get(&mut redis, order.id).await?, Some(order));
    Ok(())
}

#[integration(api, ada)]
async fn a_good_order_commits_and_takes_its_items_out_of_the_stock(
    api: &Api,
    ada: i64,
    db: PgPool,
) -> anyhow::Result<()> {
    let lines = json!([{ "sku": "pen", "quantity": 4 }, { "sku": "map", "quantity": 1 }]);
    assert_eq!(
        api.post("/orders", json!({ "user_id": ada, "lines": lines }))
            .await?
            .status,
        201
    );

    assert_eq!(
        stock(&db).await?,
        [("ink".to_owned(), 3), ("map".to_owned(), 0), ("pen".to_owned(), 6)]
    );
    Ok(())
}

#[integration(api, ada)]
async fn an_order_with_a_bad_line_leaves_nothing_behind(
    api: &Api,
    ada: i64,
    db: PgPool,
    mut redis: ConnectionManager,
) -> anyhow::Result<()> {
    let stock_before = stock(&db).await?;

    for (bad_line, status, code) in [
        (json!({ "sku": "unicorn", "quantity": 1 }), 422, "unknown_item"),
        (json!({ "sku": "map", "quantity": 2 }), 409, "out_of_stock"),
        (json!({ "sku": "map", "quantity": -1 }), 400, "bad_request"),
    ] {
        let lines = json!([{ "sku": "ink", "quantity": 1 }, bad_line]);
        let refused = api.post("/orders", json!({ "user_id": ada, "lines": lines })).await?;
        assert_eq!(refused.status, status, "{bad_line}");
        assert_eq!(refused.body["error"]["code"], code, "{bad_line}");
    }
    let lines = json!([{ "sku": "ink", "quantity": 1 }]);
    let nobodys = api
        .post("/orders", json!({ "user_id": ada + 1, "lines": lines }))
        .await?;
    assert_eq!(nobodys.status, 422);
    assert_eq!(nobodys.body["error"]["code"], "unknown_user");

    assert_eq!(count(&db, "SELECT count(*) FROM orders").await?, 0);
    assert_eq!(count(&db, "SELECT count(*) FROM order_lines").await?, 0);
    assert_eq!(stock(&db).await?, stock_before);
    let keys: Vec<String> = redis.keys("*").await?;
    assert!(keys.is_empty(), "neither event nor cache entry: {keys:?}");
    Ok(())
}

// In a transaction, too: the service's own `begin` and `rollback` become a savepoint and a return to it.
#[integration(api_in_transaction)]
async fn after_an_order_that_failed_the_next_one_goes_through(api: &Api) -> anyhow::Result<()> {
    let ada = sign_up(api, "ada").await?;
    let order_of = |maps: i32| json!({ "user_id": ada, "lines": [{ "sku": "map", "quantity": maps }] });

    assert_eq!(api.post("/orders", order_of(2)).await?.status, 409);
    assert_eq!(api.post("/orders", order_of(1)).await?.status, 201);
    assert_eq!(api.post("/orders", order_of(1)).await?.status, 409);
    Ok(())
}

#[integration(api_in_transaction)]
async fn an_order_is_read_from_the_table_once_and_from_the_cache_ever_after(
    api: &Api,
    db: PgPool,
    mut redis: ConnectionManager,
) -> anyhow::Result<()> {
    let ada = sign_up(api, "ada").await?;
    let placed = api
        .post(
            "/orders",
            json!({ "user_id": ada, "lines": [{ "sku": "pen", "quantity": 1 }] }),
        )
        .await?;
    let id = placed.body["id"].as_i64().unwrap();
    let order = format!("/orders/{id}");

    // The cache forgets, so the table answers, and fills the cache again.
    let forgotten: usize = redis.del(cache::key(id)).await?;
    assert_eq!(forgotten, 1);
    assert_eq!(api.get(&order).await?.body, placed.body);
    assert!(cache::get(&mut redis, id).await?.is_some());

    // The table forgets, and the cache still answers.
    sqlx::query("DELETE FROM orders WHERE id = $1")
        .bind(id)
        .execute(&db)
        .await?;
    assert_eq!(api.get(&order).await?.body, placed.body);

    // Both forget.
    let forgotten: usize = redis.del(cache::key(id)).await?;
    assert_eq!(forgotten, 1);
    assert_eq!(api.get(&order).await?.status, 404);
    Ok(())
}

/// How many of each item are left, by SKU.
async fn stock(db: &PgPool) -> sqlx::Result<Vec<(String, i32)>> {
    sqlx::query_as("SELECT sku, stock FROM items ORDER BY sku")
        .fetch_all(db)
        .await
}

async fn count(db: &PgPool, query: &'static str) -> sqlx::Result<i64> {
    sqlx::query_scalar(query).fetch_one(db).await
}
