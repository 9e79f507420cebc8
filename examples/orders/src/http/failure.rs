//! Every error as JSON of one shape: `{"error": {"code": "email_taken", "message": "another user has …"}}`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Database(cause) = &self {
            // The caller learns nothing of our database; whoever runs the service does.
            eprintln!("{self}: {cause}");
        }
        let (status, code) = status_and_code(&self);
        let body = json!({ "error": { "code": code, "message": self.to_string() } });
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `code` is for programs to rely on; the message beside it may change.
fn status_and_code(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
        Error::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Error::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        Error::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        Error::EmailTaken => (StatusCode::CONFLICT, "email_taken"),
        Error::SkuTaken => (StatusCode::CONFLICT, "sku_taken"),
        Error::UserHasOrders => (StatusCode::CONFLICT, "user_has_orders"),
        Error::OutOfStock { .. } => (StatusCode::CONFLICT, "out_of_stock"),
        Error::UnknownItem { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_item"),
        Error::UnknownUser { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_user"),
        Error::Database(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}
