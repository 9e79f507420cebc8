//! Logical databases on somebody else's server, which other machines may use at the same time.
//!
//! Who has which database is written on the server itself, in the URL's own database: `itest:db:N` names the owner, and
//! `itest:alive:OWNER` expires when its supervisor no longer renews it. Only a database that was empty, or that a dead owner
//! left, is ever taken: nobody's data is flushed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use itest_runtime::{Context, Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Script, cmd};
use tokio::task::JoinHandle;

use super::databases::flush_claimed;
use super::slices::FULL;

/// How long a dead supervisor's databases stay taken.
const EXPIRY: Duration = Duration::from_secs(30);
const RENEWAL: Duration = Duration::from_secs(5);
/// How long a test waits for a database while none is taken or given back.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// Takes a database that is free and empty (1), or that a dead owner left (2). Looking and taking is one step: a claim that
/// is written down never stands on a database with somebody's data, whenever its owner dies.
const TAKE: &str = "
local owner = redis.call('GET', KEYS[1])
if owner and redis.call('EXISTS', 'itest:alive:' .. owner) == 1 then return 0 end
if not owner then
    redis.call('SELECT', ARGV[2])
    local size = redis.call('DBSIZE')
    redis.call('SELECT', ARGV[3])
    if size > 0 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
return owner and 2 or 1";

/// Gives a database back, if it is still ours.
const GIVE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

#[derive(Debug)]
pub(super) struct Claims {
    admin: MultiplexedConnection,
    owner: String,
    home: u32,
    count: u32,
    /// How often a database was taken or given back.
    moved: AtomicU32,
    /// From here on no more are taken.
    closed: AtomicBool,
    renewal: JoinHandle<()>,
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

fn alive(owner: &str) -> String {
    format!("itest:alive:{owner}")
}

fn key(database: u32) -> String {
    format!("itest:db:{database}")
}

impl Claims {
    pub(super) async fn open(mut admin: MultiplexedConnection, owner: &str, home: u32, count: u32) -> Result<Self> {
        renew(&mut admin, owner)
            .await
            .context(|| "failed to write to the server")?;
        let renewal = tokio::spawn(keep_alive(admin.clone(), owner.to_owned()));
        let claims = Self {
            admin,
            owner: owner.to_owned(),
            home,
            count,
            moved: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            renewal,
        };
        claims.harvest().await?;
        Ok(claims)
    }

    /// How many databases the server has.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Takes a database, as soon as one is free.
    pub(super) async fn claim(&self) -> Result<u32> {
        let full = || {
            Error::new(format!(
                "{FULL}: it has {}, and all are in use or hold somebody's data",
                self.count
            ))
        };
        if self.count < 2 {
            return Err(full());
        }
        let mut seen = self.moved.load(Ordering::Relaxed);
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            for database in (0..self.count).filter(|database| *database != self.home) {
                if self.try_claim(database).await? {
                    self.moved.fetch_add(1, Ordering::Relaxed);
                    return Ok(database);
                }
            }
            // Others that wait get theirs: our turn will come.
            let moved = self.moved.load(Ordering::Relaxed);
            if moved != seen {
                (seen, deadline) = (moved, Instant::now() + PATIENCE);
            }
            if Instant::now() > deadline || self.closed.load(Ordering::Relaxed) {
                return Err(full());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn try_claim(&self, database: u32) -> Result<bool> {
        let mut admin = self.admin.clone();
        let taken: u8 = Script::new(TAKE)
            .key(key(database))
            .arg(&self.owner)
            .arg(database)
            .arg(self.home)
            .invoke_async(&mut admin)
            .await
            .context(|| format!("failed to claim the logical database {database}"))?;
        match taken {
            0 => Ok(false),
            // A dead owner's leavings may go.
            2 => self.flush(database).await.map(|()| true),
            _ => Ok(true),
        }
    }

    /// Empties a database that is ours.
    pub(super) async fn flush(&self, database: u32) -> Result<()> {
        flush_claimed(&mut self.admin.clone(), database, &key(database), &self.owner).await
    }

    async fn give(&self, database: u32) {
        let given: redis::RedisResult<u8> = Script::new(GIVE)
            .key(key(database))
            .arg(&self.owner)
            .invoke_async(&mut self.admin.clone())
            .await;
        if let Err(error) = given {
            tracing::warn!(%error, database, "a logical database stays claimed");
        }
    }

    /// Empties a database and gives it back. One that can't be emptied stays taken until the next harvest.
    pub(super) async fn release(&self, database: u32) {
        match self.flush(database).await {
            Ok(()) => {
                self.moved.fetch_add(1, Ordering::Relaxed);
                self.give(database).await;
            }
            Err(error) => tracing::warn!(%error, database, "a logical database could not be emptied"),
        }
    }

    /// Gives everything back.
    pub(super) async fn clear(&self) {
        self.renewal.abort();
        self.closed.store(true, Ordering::Relaxed);
        let mut admin = self.admin.clone();
        for (database, owner) in self.claimed().await.unwrap_or_default() {
            if owner == self.owner {
                self.release(database).await;
            }
        }
        remove_users(&mut admin, &self.owner).await;
        let _: redis::RedisResult<()> = admin.del(alive(&self.owner)).await;
    }

    /// Which databases are taken, and whose they are.
    async fn claimed(&self) -> Result<Vec<(u32, String)>> {
        let keys: Vec<String> = (0..self.count).map(key).collect();
        let owners: Vec<Option<String>> = self
            .admin
            .clone()
            .mget(keys)
            .await
            .context(|| "failed to look up who has which logical database")?;
        let claimed = (0..self.count).zip(owners);
        Ok(claimed
            .filter_map(|(database, owner)| Some((database, owner?)))
            .collect())
    }

    /// Empties what dead owners left, and deletes their users.
    async fn harvest(&self) -> Result<()> {
        let mut admin = self.admin.clone();
        let claimed = self.claimed().await?;
        let users = users(&mut admin).await;
        let owners: BTreeSet<&str> = claimed
            .iter()
            .map(|(_, owner)| owner.as_str())
            .chain(users.iter().filter_map(|user| owner_of(user)))
            .filter(|owner| *owner != self.owner)
            .collect();
        let connected = connected(&mut admin, &self.owner).await;
        for owner in owners {
            match &connected {
                Some(connected) if connected.contains(owner) => continue,
                // Its claim to be alive lasts longer than its connection did.
                Some(_) => {
                    let _: redis::RedisResult<()> = admin.del(alive(owner)).await;
                }
                None => {
                    let lives = admin.exists(alive(owner)).await;
                    if lives.context(|| "failed to look for other supervisors")? {
                        continue;
                    }
                }
            }
            tracing::info!(owner, "removing what a dead supervisor left on an external server");
            remove_users(&mut admin, owner).await;
            for (database, _) in claimed.iter().filter(|(_, claimer)| claimer == owner) {
                if self.try_claim(*database).await? {
                    self.give(*database).await;
                }
            }
        }
        Ok(())
    }
}

/// The supervisors that have a connection, by the names of their clients; none if the server doesn't show them all.
async fn connected(admin: &mut MultiplexedConnection, own: &str) -> Option<BTreeSet<String>> {
    let clients: String = cmd("CLIENT").arg("LIST").query_async(admin).await.ok()?;
    let names: BTreeSet<String> = clients
        .split_ascii_whitespace()
        .filter_map(|field| field.strip_prefix("name=itest:"))
        .map(str::to_owned)
        .collect();
    names.contains(own).then_some(names)
}

async fn users(admin: &mut MultiplexedConnection) -> Vec<String> {
    cmd("ACL").arg("USERS").query_async(admin).await.unwrap_or_default()
}

/// A lease's user carries its owner's digits at the end of its name: `test#OWNER-NUMBER`.
fn owner_of(user: &str) -> Option<&str> {
    let (owner, number) = user.rsplit_once('#')?.1.split_once('-')?;
    let is_ours = owner.len() == 8
        && owner.chars().all(|digit| digit.is_ascii_hexdigit())
        && !number.is_empty()
        && number.chars().all(|digit| digit.is_ascii_digit());
    is_ours.then_some(owner)
}

async fn remove_users(admin: &mut MultiplexedConnection, owner: &str) {
    for user in users(admin).await.iter().filter(|user| owner_of(user) == Some(owner)) {
        let _ = cmd("ACL").arg("DELUSER").arg(user).query_async::<()>(admin).await;
    }
}

async fn renew(admin: &mut MultiplexedConnection, owner: &str) -> redis::RedisResult<()> {
    cmd("SET")
        .arg(alive(owner))
        .arg(1)
        .arg("PX")
        .arg(EXPIRY.as_millis().to_string())
        .query_async(admin)
        .await
}

async fn keep_alive(mut admin: MultiplexedConnection, owner: String) {
    let mut tick = tokio::time::interval(RENEWAL);
    loop {
        tick.tick().await;
        if let Err(error) = renew(&mut admin, &owner).await {
            tracing::warn!(%error, "failed to renew the claim on an external server");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leases_user_tells_its_owner() {
        assert_eq!(owner_of("orders::are_placed#0123abcd-17"), Some("0123abcd"));
        for other in [
            "default",
            "me#2",
            "a#0123abcd",
            "a#0123abcd-",
            "a#0123abcd-x",
            "a#wxyz0123-1",
        ] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
