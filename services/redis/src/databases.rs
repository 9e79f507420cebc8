//! What is done to logical databases, by scripts: each is one step, and leaves the connection in the database it was in.

use itest_runtime::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::{Script, cmd};

/// In a script, a database that can't be selected stops everything, and the connection itself stays where it is. As plain
/// commands, a `SELECT` that fails would have the next one flush somebody's data.
const FLUSH: &str = "redis.call('SELECT', ARGV[1]) return redis.call('FLUSHDB')";

/// Empties a logical database.
pub(super) async fn flush(admin: &mut MultiplexedConnection, database: u32) -> Result<()> {
    Script::new(FLUSH)
        .arg(database)
        .invoke_async::<()>(admin)
        .await
        .context(|| format!("failed to empty the logical database {database}"))
}

/// The same, if the claim on the database is still ours: whoever holds it now has data there.
const FLUSH_CLAIMED: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('somebody else has claimed it') end
redis.call('SELECT', ARGV[1]) return redis.call('FLUSHDB')";

/// Empties a logical database that `owner` has claimed under `key`.
pub(super) async fn flush_claimed(
    admin: &mut MultiplexedConnection,
    database: u32,
    key: &str,
    owner: &str,
) -> Result<()> {
    Script::new(FLUSH_CLAIMED)
        .key(key)
        .arg(database)
        .arg(owner)
        .invoke_async::<()>(admin)
        .await
        .context(|| format!("failed to empty the logical database {database}"))
}

/// Counts the first databases that can be selected.
const COUNT: &str = "
local count = 0
while count < 16 and redis.pcall('SELECT', count).ok do count = count + 1 end
return count";

/// Where we may not ask, no more are counted than servers have by default.
pub(super) async fn count(admin: &mut MultiplexedConnection) -> Result<u32> {
    let answer: redis::RedisResult<Vec<String>> = cmd("CONFIG").arg("GET").arg("databases").query_async(admin).await;
    if let Some(count) = answer.ok().and_then(|answer| answer.get(1)?.parse().ok()) {
        return Ok(count);
    }
    let counted = Script::new(COUNT).invoke_async(admin).await;
    counted.context(|| "failed to count the server's logical databases")
}
