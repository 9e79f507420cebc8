//! Who may write.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};

use crate::{AppState, Error, Result};

/// Lets a request pass if it only reads, or carries the token.
pub(super) async fn writing_needs_the_token(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let authorized = bearer(request.headers()).is_some_and(|token| app.token.matches(token));
    if request.method().is_safe() || authorized {
        Ok(next.run(request).await)
    } else {
        Err(Error::Unauthorized)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}
