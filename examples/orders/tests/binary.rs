//! The service as it ships: the real binary in a process of its own, called over TCP.

mod support;

use itest::{
    Url, integration,
    service::{Postgres, Redis},
};
use serde_json::json;
use sqlx::PgPool;
use support::{api::sign_up, service::Service};

// The service migrates its database when it starts. Here it finds the migrations applied, as after any restart.
#[integration(postgres(migrations = "./migrations", fixtures("catalog")), redis)]
async fn the_binary_takes_an_order_over_tcp_and_stops_when_told(
    database: Url<Postgres>,
    redis: Url<Redis>,
    db: PgPool,
) -> anyhow::Result<()> {
    let service = Service::start(&database, &redis).await?;
    let api = service.api();

    assert_eq!(api.with_token(None).post("/users", json!({})).await?.status, 401);
    let ada = sign_up(&api, "ada").await?;
    let placed = api
        .post(
            "/orders",
            json!({ "user_id": ada, "lines": [{ "sku": "pen", "quantity": 1 }] }),
        )
        .await?;
    assert_eq!(placed.status, 201);
    let id = placed.body["id"].as_i64().unwrap();
    assert_eq!(api.get(&format!("/orders/{id}")).await?.body, placed.body);

    assert!(service.stop().await?.success());

    // The process is gone; what it committed is not.
    assert_eq!(orders::orders::find(&db, id).await?.user_id, ada);
    Ok(())
}
