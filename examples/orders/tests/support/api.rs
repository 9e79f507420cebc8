//! The client: the same for the router in this process and for a service on the network.

use anyhow::{Context, anyhow};
use axum::{
    body::Body,
    http::{
        Method, Request, Response, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use orders::{ApiToken, AppState};
use redis::aio::ConnectionManager;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::{
    BoxError, ServiceExt,
    util::{BoxCloneSyncService, MapErr},
};

/// The token of every service that is tested.
pub(crate) const TOKEN: &str = "the-token-of-the-tests";

/// Calls the service, with the right token unless told otherwise.
#[derive(Clone)]
pub(crate) struct Api {
    service: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
    base: String,
    token: Option<&'static str>,
}

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The JSON; null if there was none.
    pub(crate) body: Value,
}

/// The service in this process, on a database and a Redis of the test's own.
#[itest::fixture(postgres(migrations = "./migrations", fixtures("../fixtures/catalog.sql")), redis)]
pub(crate) async fn api(db: &PgPool, redis: &ConnectionManager) -> Api {
    Api::in_process(db, redis)
}

/// The same in a transaction that is rolled back when the test ends.
#[itest::fixture(
    postgres(migrations = "./migrations", fixtures("../fixtures/catalog.sql"), transaction),
    redis
)]
pub(crate) async fn api_in_transaction(db: &PgPool, redis: &ConnectionManager) -> Api {
    Api::in_process(db, redis)
}

/// A user of the service, by their id.
#[itest::fixture(api)]
pub(crate) async fn ada(api: &Api) -> anyhow::Result<i64> {
    sign_up(api, "ada").await
}

impl Api {
    /// A service in this process, called without a network.
    fn in_process(db: &PgPool, redis: &ConnectionManager) -> Self {
        let token = ApiToken::new(TOKEN).expect("the token is not empty");
        let router = orders::router(AppState::new(db.clone(), redis.clone(), token));
        let service = BoxCloneSyncService::new(MapErr::new(router, BoxError::from));
        Self {
            service,
            base: "http://in-process".to_owned(),
            token: Some(TOKEN),
        }
    }

    /// A service that listens at this URL.
    pub(crate) fn at(url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let client = client
            .map_response(|response| response.map(Body::new))
            .map_err(BoxError::from);
        Self {
            service: BoxCloneSyncService::new(client),
            base: url.to_owned(),
            token: Some(TOKEN),
        }
    }

    /// The same service, called by someone with this token, or none.
    pub(crate) fn with_token(&self, token: impl Into<Option<&'static str>>) -> Self {
        Self {
            token: token.into(),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, json: Value) -> anyhow::Result<Reply> {
        self.post_text(path, json.to_string()).await
    }

    /// Posts what claims to be JSON.
    pub(crate) async fn post_text(&self, path: &str, text: impl Into<Body>) -> anyhow::Result<Reply> {
        self.send(Method::POST, path, text.into()).await
    }

    pub(crate) async fn put(&self, path: &str, json: Value) -> anyhow::Result<Reply> {
        self.send(Method::PUT, path, json.to_string().into()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> anyhow::Result<Reply> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = self
            .service
            .clone()
            .oneshot(request.body(body)?)
            .await
            .map_err(|error| anyhow!(error).context(format!("failed to send {method} {path}")))?;

        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .with_context(|| format!("{method} {path} answered {status} with what is no JSON: {bytes:?}"))?
        };
        Ok(Reply { status, body })
    }
}

/// Adds a user of this name, and returns their id.
pub(crate) async fn sign_up(api: &Api, name: &str) -> anyhow::Result<i64> {
    let reply = api
        .post(
            "/users",
            json!({ "name": name, "email": format!("{name}@example.com") }),
        )
        .await?;
    reply.body["id"]
        .as_i64()
        .with_context(|| format!("{name} could not sign up: {reply:?}"))
}
