//! `/orders`

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};

use super::extract::{Json, Path};
use crate::{
    AppState, Result,
    orders::{NewOrder, Order},
    workflow,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/", post(place)).route("/{id}", get(find))
}

async fn place(State(app): State<AppState>, Json(order): Json<NewOrder>) -> Result<(StatusCode, Json<Order>)> {
    let order = workflow::place(&app, &order).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

async fn find(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<Order>> {
    workflow::find(&app, id).await.map(Json)
}
