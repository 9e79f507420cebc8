//! What there is besides slices: what clients wait for, and clearing up on somebody else's server.

use itest_runtime::service::{Clearing, Logs};
use redis::cmd;

use super::{Databases, RedisSlices, blocked};
use crate::{Redis, RedisGrant};

impl Logs<Redis> for RedisSlices {
    async fn busy_with(&self, grant: &RedisGrant) -> Vec<String> {
        let clients = cmd("CLIENT")
            .arg("LIST")
            .query_async::<String>(&mut self.admin.clone())
            .await;
        blocked(&clients.unwrap_or_default(), &grant.user, grant.database)
    }
}

impl Clearing for RedisSlices {
    async fn clear(&self) {
        if let Databases::Claimed(claims) = &self.databases {
            claims.clear().await;
        }
    }
}
