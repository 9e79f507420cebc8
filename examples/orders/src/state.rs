//! What every request handler needs.

use redis::aio::ConnectionManager;
use sqlx::PgPool;

use crate::ApiToken;

/// The service's connections and its one secret. Cloning it is cheap: clones share the connections.
#[derive(Clone)]
pub struct AppState {
    pub(crate) db: PgPool,
    pub(crate) redis: ConnectionManager,
    pub(crate) token: ApiToken,
}

impl AppState {
    /// A service on this database and this Redis, where `token` is what a caller must present in order to write.
    pub fn new(db: PgPool, redis: ConnectionManager, token: ApiToken) -> Self {
        Self { db, redis, token }
    }
}
