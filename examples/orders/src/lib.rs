//! A small order service: users, items and orders in Postgres, order events and a read-through cache in Redis.
//!
//! It exists to be tested: `tests/` shows what a team would write for such a service with `itest`.
//! Read [`workflow`] first, which is what happens when an order is placed.

pub mod cache;
pub mod email;
pub mod error;
pub mod events;
mod http;
pub mod items;
pub mod orders;
pub mod page;
mod state;
mod token;
pub mod users;
pub mod workflow;

pub use error::Error;
pub use http::router;
pub use state::AppState;
pub use token::ApiToken;

/// What every function of this crate that can fail returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The migrations that bring an empty database to what this service needs. Running them twice changes nothing.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
