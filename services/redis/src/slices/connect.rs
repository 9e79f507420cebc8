//! How the supervisor comes to a server, and what it may do there.

use std::sync::Mutex;
use std::time::Duration;

use itest_runtime::provider::Endpoint;
use itest_runtime::service::asked::check_found;
use itest_runtime::service::{Lost, Service};
use itest_runtime::{Context, Result};
use redis::aio::MultiplexedConnection as Connection;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, cmd};

use super::{Address, Databases, RedisSlices, Users};
use crate::access::Rules;
use crate::databases::count;
use crate::external::Claims;
use crate::{Redis, RedisServer};

impl RedisSlices {
    pub(crate) async fn connect(server: &RedisServer, endpoint: &Endpoint) -> Result<Self> {
        let Endpoint {
            host,
            port,
            password,
            owner,
            ..
        } = endpoint;
        if let Some(url) = &endpoint.url {
            return Self::of_others(server, url, owner).await;
        }
        let socket = endpoint.folder.as_ref().map(|folder| folder.join("socket"));
        let way = match &socket {
            Some(socket) => ConnectionAddr::Unix(socket.clone()),
            None => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let mut admin = open(info(way, password)?, owner).await?;
        if let Some(container) = &endpoint.container {
            check_version(&mut admin, server, &container.image).await?;
        }
        let address = Address {
            server: format!("redis://{}", endpoint.address()?),
            socket,
        };
        Self::of_ours(admin, address, endpoint.dedicated).await
    }

    /// A server that nobody else uses.
    async fn of_ours(mut admin: Connection, address: Address, dedicated: bool) -> Result<Self> {
        let (databases, users) = if dedicated {
            (Databases::Dedicated, Users::Everything)
        } else {
            let rules = Rules::find(&mut admin)
                .await
                .context(|| "failed to look up the server's commands")?;
            let databases = Databases::Own {
                count: count(&mut admin).await?,
                taken: Mutex::default(),
            };
            (databases, Users::Own(rules))
        };
        Ok(Self {
            open: Mutex::default(),
            lost: Lost::default(),
            admin,
            address,
            databases,
            users,
        })
    }

    /// Somebody else's.
    async fn of_others(server: &RedisServer, url: &str, owner: &str) -> Result<Self> {
        let info = url
            .into_connection_info()
            .context(|| "ITEST_REDIS_URL is not a Redis URL")?;
        let (user, password) = (info.redis_settings().username(), info.redis_settings().password());
        let (user, password) = (
            user.unwrap_or_default().to_owned(),
            password.unwrap_or_default().to_owned(),
        );
        let home = u32::try_from(info.redis_settings().db()).unwrap_or(0);
        server.check_external()?;
        let mut admin = open(info, owner).await?;
        check_version(&mut admin, server, "the external server").await?;
        let users = match Rules::find(&mut admin).await {
            Ok(rules) => Users::Own(rules),
            Err(_) => Users::UrlUser { user, password },
        };
        let count = count(&mut admin).await?;
        let claims = Claims::open(admin.clone(), owner, home, count).await?;
        Ok(Self {
            open: Mutex::default(),
            lost: Lost::default(),
            admin,
            address: Address {
                server: url.to_owned(),
                socket: None,
            },
            databases: Databases::Claimed(claims),
            users,
        })
    }
}

fn info(address: ConnectionAddr, password: &str) -> Result<ConnectionInfo> {
    let settings = RedisConnectionInfo::default().set_password(password);
    let info = address
        .into_connection_info()
        .context(|| "failed to address the server")?;
    Ok(info.set_redis_settings(settings))
}

/// The connection's name is the sign that its supervisor lives; it ends when that does.
async fn open(info: redis::ConnectionInfo, owner: &str) -> Result<Connection> {
    let client = Client::open(info).context(|| "failed to address the server")?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_response_timeout(Some(Duration::from_secs(30)));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .context(|| "failed to connect")?;
    let mut name = cmd("CLIENT");
    name.arg("SETNAME").arg(format!("itest:{owner}"));
    if let Err(error) = name.query_async::<()>(&mut connection).await {
        tracing::info!(%error, "the server gives our connection no name");
    }
    Ok(connection)
}

/// A server that is there can't be made what the test asks for.
async fn check_version(admin: &mut Connection, server: &RedisServer, what: &str) -> Result<()> {
    let Some(wanted) = &server.version else { return Ok(()) };
    let info: String = cmd("INFO")
        .arg("server")
        .query_async(admin)
        .await
        .context(|| "failed to look up the server's version")?;
    let found = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or("unknown")
        .trim();
    check_found(Redis::NAME, "Redis", Some(wanted), what, found)
}
