//! Redis 6 and later: one server, with a logical database for each test.

mod access;
mod databases;
mod external;
mod inject;
mod recipe;
mod slices;
mod url;

use itest_runtime::provider::{Endpoint, Recipe};
use itest_runtime::service::asked::{check_settings, check_version};
use itest_runtime::service::{Placement, Service, TestContext, URL_FILE};
use itest_runtime::{Error, Result};
use serde::{Deserialize, Serialize};

pub use slices::{RedisSlice, RedisSlices};

/// Which code this is: a supervisor serves no test of another.
const CODE: &str = itest_macros::code!();

/// A logical Redis database: `#[integration(redis)]`.
///
/// Gives tests `redis::Client`, `redis::aio::MultiplexedConnection`, `redis::aio::ConnectionManager` and
/// [`Url<Redis>`](itest_runtime::Url).
///
/// The server is shared. Keys are the test's own; **pub/sub channels are not**: Redis has them once per server, so use
/// channel names of your own, or [`Redis::dedicated`]. Commands that reach other tests (`FLUSHALL`, `CONFIG`, `SHUTDOWN`, …)
/// are refused.
///
/// A client must `SELECT` its database, as every client does that is given the whole URL. Redis can't keep one that forgets
/// to out of database 0, where **it meets every other client that forgets**: nobody's slice is there, and it is emptied
/// whenever a lease ends, but two tests that run at the same time see each other there. On an external server database 0 is
/// whatever its owner keeps in it; and where the URL's user may make no users (`ACL SETUSER`), tests log in as that user, and
/// nothing but their own good manners keeps them from other databases.
pub fn redis() -> Redis {
    Redis {
        placement: Placement::default(),
        version: None,
        settings: Vec::new(),
        image: None,
    }
}

/// What a test asks of Redis. In the attribute, `key = value` is `.key(value)`, and a bare word is `.word()`.
///
/// ```
/// use itest::service::redis;
///
/// // #[integration(redis(version = "7", dedicated))]
/// let asked = redis().version("7").dedicated();
/// ```
#[derive(Debug, Clone)]
pub struct Redis {
    placement: Placement,
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
}

impl Redis {
    /// The server's version: `"7"`, or `"7.2"`. Without it, the first in `PATH`, else the newest in the usual places. An
    /// external server of another version is an error.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Server settings such as `"maxmemory 64mb"`, as lines of `redis.conf`. Tests with other settings get another server.
    /// With an external server they are an error: its settings aren't ours to change.
    pub fn settings<S: Into<String>>(mut self, settings: impl IntoIterator<Item = S>) -> Self {
        self.settings.extend(settings.into_iter().map(Into::into));
        self
    }

    /// The image of its container, which must keep the official image's contract: `"redis/redis-stack-server:7.4.0-v0"`.
    /// Other providers ignore it.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// A server of the test's own, where every command is allowed.
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }
}

itest_runtime::options!(Redis {
    docker,
    native,
    external
});

/// What shapes the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RedisServer {
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
}

impl RedisServer {
    /// Whether somebody else's server may be what the test asks for.
    fn check_external(&self) -> Result<()> {
        let Some(setting) = self.settings.first() else {
            return Ok(());
        };
        Err(Error::new(format!(
            "the test asks for the server setting `{setting}`, and an external server's settings are not ours to change"
        ))
        .hint("set it on that server and take it out of the test, or write `redis(native, …)`")
        .permanent())
    }
}

/// What a test needs to know to use its logical database.
#[derive(Clone, Serialize, Deserialize)]
pub struct RedisGrant {
    /// `redis://host:port`, or the URL of somebody else's server.
    pub(crate) server: String,
    /// The server's Unix socket, if it is ours.
    pub(crate) socket: Option<std::path::PathBuf>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: u32,
}

/// Never shows the password.
impl std::fmt::Debug for RedisGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisGrant")
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for Redis {
    const NAME: &'static str = "redis";
    const CODE: &'static str = CODE;
    type ServerSpec = RedisServer;
    type SliceSpec = ();
    type Grant = RedisGrant;
    type Slices = RedisSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<(RedisServer, ())> {
        check_settings(Self::NAME, &self.settings, recipe::OWN)?;
        check_version("Redis", self.version.as_deref(), recipe::FIRST)?;
        let server = RedisServer {
            version: self.version.clone(),
            settings: self.settings.clone(),
            image: self.image.clone(),
        };
        Ok((server, ()))
    }

    fn recipe(server: &RedisServer) -> Recipe {
        Recipe::native(recipe::native(server)).or_docker(recipe::docker(server))
    }

    fn complete(url: &str) -> Result<String> {
        url::check(url).map(|()| url.to_owned())
    }

    async fn connect(server: &RedisServer, endpoint: &Endpoint) -> Result<RedisSlices> {
        RedisSlices::connect(server, endpoint).await
    }

    fn url(grant: &RedisGrant) -> Result<String> {
        url::of_lease(grant)
    }

    fn explain(&self, failure: &str) -> Option<String> {
        // In the server's own words: an application may have permissions of its own.
        let lower = failure.to_ascii_lowercase();
        let refused = [
            "no permissions to run the '",
            "no permissions to access a ",
            "no permissions to access one of the ",
        ]
        .iter()
        .any(|text| lower.contains(text));
        if !self.settings.is_empty() && failure.contains("FATAL CONFIG FILE ERROR") {
            return Some(
                "the server doesn't take what `redis(settings(...))` says: write each as `\"name value\"`, with a name that this \
                 version knows"
                    .to_owned(),
            );
        }
        let pool_full = failure.contains(slices::FULL);
        if refused {
            return Some(
                "this command reaches other tests on the shared Redis server; for a server of the test's own, where every \
                 command is allowed, write `redis(dedicated)`"
                    .to_owned(),
            );
        }
        pool_full.then(|| "give that server more logical databases (`databases` in redis.conf)".to_owned())
    }

    fn open_command(grant: &RedisGrant) -> Option<String> {
        let RedisGrant { user, database, .. } = grant;
        Some(match url::socket(&grant.server) {
            // It takes no URL of a socket.
            Some(socket) => format!(
                "redis-cli -s '{}' -n {database} --user '{user}' --askpass # the password is what `pass` says in {URL_FILE}",
                socket.display()
            ),
            None => format!("redis-cli -u {URL_FILE}"),
        })
    }
}
