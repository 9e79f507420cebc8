//! Users over HTTP. Most of these tests run in a transaction that is rolled back when they end.

mod support;

use itest::integration;
use serde_json::json;
use sqlx::PgPool;
use support::api::{Api, ada, api, api_in_transaction, sign_up};

#[integration(api_in_transaction)]
async fn a_user_is_created_read_changed_and_deleted(api: &Api) -> anyhow::Result<()> {
    let created = api
        .post("/users", json!({ "name": "Ada", "email": "ada@example.com" }))
        .await?;
    assert_eq!(created.status, 201);
    let id = &created.body["id"];
    let ada = format!("/users/{id}");

    let read = api.get(&ada).await?;
    assert_eq!(read.status, 200);
    assert_eq!(
        read.body,
        json!({ "id": id, "name": "Ada", "email": "ada@example.com" })
    );

    let changed = api
        .put(&ada, json!({ "name": "Ada Lovelace", "email": "lovelace@example.com" }))
        .await?;
    assert_eq!(changed.status, 200);
    assert_eq!(
        changed.body,
        json!({ "id": id, "name": "Ada Lovelace", "email": "lovelace@example.com" })
    );
    assert_eq!(api.get(&ada).await?.body, changed.body);

    assert_eq!(api.delete(&ada).await?.status, 204);
    assert_eq!(api.get(&ada).await?.status, 404);
    Ok(())
}

#[integration(api_in_transaction)]
async fn twenty_five_users_fill_two_pages_and_half_a_third(api: &Api, db: PgPool) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO users (name, email) SELECT 'user ' || n, n || '@example.com' FROM generate_series(1, 25) n",
    )
    .execute(&db)
    .await?;

    for (page, names) in [(1, 1..=10), (2, 11..=20), (3, 21..=25)] {
        let reply = api.get(&format!("/users?page={page}&per_page=10")).await?;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["page"], page);
        assert_eq!(reply.body["pages"], 3);
        assert_eq!(reply.body["total"], 25);

        let expected: Vec<_> = names.map(|n| json!(format!("user {n}"))).collect();
        let found: Vec<_> = reply.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["name"].clone())
            .collect();
        assert_eq!(found, expected, "page {page}");
    }
    Ok(())
}

#[integration(api_in_transaction)]
async fn a_page_beyond_the_last_one_is_empty(api: &Api) -> anyhow::Result<()> {
    sign_up(api, "ada").await?;

    let reply = api.get("/users?page=2").await?;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, json!({ "items": [], "page": 2, "pages": 1, "total": 1 }));
    Ok(())
}

// A statement that violates a constraint aborts the transaction around it, and this test goes on after one.
// So it wants a database of its own, which is the default, and not `transaction`.
#[integration(api)]
async fn two_users_cannot_share_an_email(api: &Api) -> anyhow::Result<()> {
    sign_up(api, "ada").await?;
    let bob = sign_up(api, "bob").await?;

    let second_ada = api
        .post("/users", json!({ "name": "Eve", "email": "ADA@example.com" }))
        .await?;
    assert_eq!(second_ada.status, 409);
    assert_eq!(second_ada.body["error"]["code"], "email_taken");

    let bob_as_ada = api
        .put(
            &format!("/users/{bob}"),
            json!({ "name": "Bob", "email": "ada@example.com" }),
        )
        .await?;
    assert_eq!(bob_as_ada.status, 409);

    assert_eq!(
        api.get(&format!("/users/{bob}")).await?.body["email"],
        "bob@example.com"
    );
    assert_eq!(api.get("/users").await?.body["total"], 2);
    Ok(())
}

#[integration(api, ada)]
async fn a_user_who_has_ordered_stays(api: &Api, ada: i64) -> anyhow::Result<()> {
    api.post(
        "/orders",
        json!({ "user_id": ada, "lines": [{ "sku": "pen", "quantity": 1 }] }),
    )
    .await?;

    let deleted = api.delete(&format!("/users/{ada}")).await?;
    assert_eq!(deleted.status, 409);
    assert_eq!(deleted.body["error"]["code"], "user_has_orders");
    assert_eq!(api.get(&format!("/users/{ada}")).await?.status, 200);
    Ok(())
}
