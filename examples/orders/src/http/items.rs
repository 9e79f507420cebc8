//! `/items`

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::extract::{Json, Path, Query};
use crate::{
    AppState, Result,
    items::{self, Item},
    page::{Page, PageRequest},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(list).post(create))
        .route("/{sku}", get(find))
}

async fn list(State(app): State<AppState>, Query(page): Query<PageRequest>) -> Result<Json<Page<Item>>> {
    items::list(&app.db, page).await.map(Json)
}

async fn create(State(app): State<AppState>, Json(item): Json<Item>) -> Result<(StatusCode, Json<Item>)> {
    items::create(&app.db, &item).await?;
    Ok((StatusCode::CREATED, Json(item)))
}

async fn find(State(app): State<AppState>, Path(sku): Path<String>) -> Result<Json<Item>> {
    items::find(&app.db, &sku).await.map(Json)
}
