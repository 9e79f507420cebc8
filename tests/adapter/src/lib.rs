//! An adapter: makes a type injectable that neither this crate nor itest owns, of a service that is not this crate's either. It also
//! has a fixture for other crates.

use itest::service::Redis;
use itest::{Context, Inject, Lease, Result};
use redis::{Client, Commands, Connection};

/// How this crate makes values: the type of its own that Rust asks for. No test names it.
#[derive(Debug)]
pub struct Blocking;

/// Redis' own connection for code that isn't `async`.
impl Inject<Blocking> for Connection {
    type Service = Redis;

    async fn inject(lease: &Lease<Redis>) -> Result<Self> {
        let client = Client::inject(lease).await?;
        client.get_connection().context(|| "failed to connect to Redis")
    }
}

/// A greeting that is in the cache.
#[itest::fixture(redis)]
pub fn greeting(mut cache: Connection) -> redis::RedisResult<String> {
    cache.set::<_, _, ()>("greeting", "hello")?;
    cache.get("greeting")
}
