//! The service as HTTP shows it. Handlers only translate: what they do stands in the modules they call.

mod auth;
mod extract;
mod failure;
mod items;
mod orders;
mod users;

use axum::{Router, middleware::from_fn_with_state};

use crate::{AppState, Error};

/// All routes of the service. Reading is free, writing needs the token.
pub fn router(app: AppState) -> Router {
    Router::new()
        .nest("/users", users::routes())
        .nest("/items", items::routes())
        .nest("/orders", orders::routes())
        .route_layer(from_fn_with_state(app.clone(), auth::writing_needs_the_token))
        .fallback(async || Error::NotFound("page"))
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .with_state(app)
}
