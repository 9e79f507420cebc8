//! `/users`

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::extract::{Json, Path, Query};
use crate::{
    AppState, Result,
    page::{Page, PageRequest},
    users::{self, User, UserArgs},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(list).post(create))
        .route("/{id}", get(find).put(replace).delete(delete))
}

async fn list(State(app): State<AppState>, Query(page): Query<PageRequest>) -> Result<Json<Page<User>>> {
    users::list(&app.db, page).await.map(Json)
}

async fn create(State(app): State<AppState>, Json(user): Json<UserArgs>) -> Result<(StatusCode, Json<User>)> {
    let user = users::create(&app.db, &user).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

async fn find(State(app): State<AppState>, Path(id): Path<i64>) -> Result<Json<User>> {
    users::find(&app.db, id).await.map(Json)
}

async fn replace(State(app): State<AppState>, Path(id): Path<i64>, Json(user): Json<UserArgs>) -> Result<Json<User>> {
    users::replace(&app.db, id, &user).await.map(Json)
}

async fn delete(State(app): State<AppState>, Path(id): Path<i64>) -> Result<StatusCode> {
    users::delete(&app.db, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
