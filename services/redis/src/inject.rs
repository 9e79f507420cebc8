//! The values that a test can have of a lease.

use itest_runtime::service::Service;
use itest_runtime::{Context, Inject, Lease, Result};
use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::{Redis, RedisGrant};

impl RedisGrant {
    fn info(&self) -> Result<ConnectionInfo> {
        let wrong = || "failed to address the server";
        let info = Redis::url(self)?.into_connection_info().context(wrong)?;
        Ok(match &self.socket {
            Some(socket) => info.set_addr(ConnectionAddr::Unix(socket.clone())),
            None => info,
        })
    }

    fn client(&self) -> Result<Client> {
        Client::open(self.info()?).context(|| "failed to address the server")
    }
}

impl Inject<Redis> for Client {
    type Service = Redis;

    async fn inject(lease: &Lease<Redis>) -> Result<Self> {
        lease.grant().client()
    }
}

impl Inject<Redis> for MultiplexedConnection {
    type Service = Redis;

    async fn inject(lease: &Lease<Redis>) -> Result<Self> {
        lease
            .grant()
            .client()?
            .get_multiplexed_async_connection()
            .await
            .context(|| "failed to connect")
    }
}

impl Inject<Redis> for ConnectionManager {
    type Service = Redis;

    async fn inject(lease: &Lease<Redis>) -> Result<Self> {
        lease
            .grant()
            .client()?
            .get_connection_manager()
            .await
            .context(|| "failed to connect")
    }
}
