//! What a caller gets who does it wrong.

mod support;

use itest::integration;
use serde_json::json;
use support::api::{Api, api_in_transaction};

#[integration(api_in_transaction)]
async fn bad_input_is_answered_with_400(api: &Api) -> anyhow::Result<()> {
    for path in [
        "/users?page=0",
        "/users?per_page=0",
        "/users?per_page=101",
        "/users?page=two",
        "/users/ada",
    ] {
        let reply = api.get(path).await?;
        assert_eq!(reply.status, 400, "GET {path}");
        assert_eq!(reply.body["error"]["code"], "bad_request", "GET {path}");
    }

    for (path, text) in [
        ("/users", "{"),
        ("/users", "{}"),
        ("/users", r#"{ "name": "Ada", "email": "not an address" }"#),
        ("/users", r#"{ "name": " ", "email": "ada@example.com" }"#),
        (
            "/items",
            r#"{ "sku": "pen", "name": "A pen", "price_cents": 0, "stock": 1 }"#,
        ),
        (
            "/items",
            r#"{ "sku": "pen", "name": "A pen", "price_cents": 1, "stock": -1 }"#,
        ),
        ("/orders", r#"{ "user_id": 1, "lines": [] }"#),
        (
            "/orders",
            r#"{ "user_id": 1, "lines": [{ "sku": "pen", "quantity": 0 }] }"#,
        ),
    ] {
        let reply = api.post_text(path, text).await?;
        assert_eq!(reply.status, 400, "POST {path} {text}");
        assert_eq!(reply.body["error"]["code"], "bad_request", "POST {path} {text}");
    }
    Ok(())
}

#[integration(api_in_transaction)]
async fn what_is_not_there_is_answered_with_404(api: &Api) -> anyhow::Result<()> {
    for path in ["/users/1", "/items/unicorn", "/orders/1", "/", "/prices"] {
        let reply = api.get(path).await?;
        assert_eq!(reply.status, 404, "GET {path}");
        assert_eq!(reply.body["error"]["code"], "not_found", "GET {path}");
    }
    assert_eq!(
        api.put("/users/1", json!({ "name": "Ada", "email": "ada@example.com" }))
            .await?
            .status,
        404
    );
    assert_eq!(api.delete("/users/1").await?.status, 404);
    assert_eq!(api.delete("/users").await?.status, 405);
    Ok(())
}

#[integration(api_in_transaction)]
async fn writing_without_the_token_is_answered_with_401(api: &Api) -> anyhow::Result<()> {
    let ada = json!({ "name": "Ada", "email": "ada@example.com" });

    for stranger in [api.with_token(None), api.with_token("guessed"), api.with_token("")] {
        for refused in [
            stranger.post("/users", ada.clone()).await?,
            stranger.put("/users/1", ada.clone()).await?,
            stranger.delete("/users/1").await?,
            stranger.post("/orders", json!({ "user_id": 1, "lines": [] })).await?,
        ] {
            assert_eq!(refused.status, 401);
            assert_eq!(refused.body["error"]["code"], "unauthorized");
        }
        assert_eq!(stranger.get("/items/pen").await?.status, 200, "anybody may read");
    }
    assert_eq!(api.get("/users").await?.body["total"], 0);
    Ok(())
}
