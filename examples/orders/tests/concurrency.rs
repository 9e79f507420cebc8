//! Many at once, on real connections.

mod support;

use std::time::Duration;

use anyhow::bail;
use itest::integration;
use redis::{AsyncCommands, aio::ConnectionManager};
use serde_json::json;
use sqlx::PgPool;
use support::api::{Api, api, sign_up};
use tokio::{task::JoinSet, time::Instant};

#[integration(api)]
async fn a_hundred_users_sign_up_at_once(api: &Api) -> anyhow::Result<()> {
    let mut sign_ups = JoinSet::new();
    for n in 1..=100 {
        let api = api.clone();
        sign_ups.spawn(async move { sign_up(&api, &format!("user-{n}")).await });
    }
    let mut ids = sign_ups
        .join_all()
        .await
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;

    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100, "everybody has an id of their own");
    assert_eq!(api.get("/users").await?.body["total"], 100);
    Ok(())
}

#[integration(api)]
async fn of_two_orders_that_race_for_the_last_map_exactly_one_wins(
    api: &Api,
    db: PgPool,
    mut redis: ConnectionManager,
) -> anyhow::Result<()> {
    let buyers = [sign_up(api, "ada").await?, sign_up(api, "bob").await?];

    // The map is locked until both orders wait for it. When it is let go, they really race.
    let mut lock = db.begin().await?;
    sqlx::query("SELECT FROM items WHERE sku = 'map' FOR UPDATE")
        .execute(&mut *lock)
        .await?;
    let mut orders = JoinSet::new();
    for buyer in buyers {
        let api = api.clone();
        let order = json!({ "user_id": buyer, "lines": [{ "sku": "map", "quantity": 1 }] });
        orders.spawn(async move { api.post("/orders", order).await });
    }
    until_connections_wait_for_a_lock(&db, 2).await?;
    lock.rollback().await?;

    let replies = orders
        .join_all()
        .await
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{replies:?}");

    assert_eq!(api.get("/items/map").await?.body["stock"], 0);
    let events: usize = redis.xlen(orders::events::STREAM).await?;
    assert_eq!(events, 1, "the loser has told nobody");
    Ok(())
}

/// Asks the database, again and again, until so many of this test's connections wait for a lock.
async fn until_connections_wait_for_a_lock(db: &PgPool, wanted: i64) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(db)
        .await?;
        if waiting == wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{waiting} connections wait for a lock, not {wanted}");
        }
    }
}
