//! Logical databases on somebody else's server, which other machines may use at the same time.
//!
//! Who has which database is written on the server itself, in the URL's own database: `itest:db:N` names the owner, and
//! `itest:alive:OWNER` expires when its supervisor no longer renews it. Only a database that was empty, or that a dead owner
//! left, is ever taken: nobody's data is flushed.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Script, cmd, pipe};
use tokio::task::JoinHandle;

use super::slices::{FULL, flush};
use crate::error::{Context, Error, Result};

/// How long a dead supervisor's databases stay taken.
const EXPIRY: Duration = Duration::from_secs(30);
const RENEWAL: Duration = Duration::from_secs(5);
/// How long a test waits for a database when all are taken.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// Takes a database that is free (1), or that a dead owner left (2).
const TAKE: &str = "
local owner = redis.call('GET', KEYS[1])
if owner and redis.call('EXISTS', 'itest:alive:' .. owner) == 1 then return 0 end
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
            renewal,
        };
        claims.harvest().await?;
        Ok(claims)
    }

    /// The database in which claims are written down.
    pub(super) fn home(&self) -> u32 {
        self.home
    }

    /// Takes a database, as soon as one is free.
    pub(super) async fn claim(&self) -> Result<u32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for database in (0..self.count).filter(|database| *database != self.home) {
                if self.try_claim(database).await? {
                    return Ok(database);
                }
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "{FULL}: it has {}, and all are in use or hold somebody's data",
                    self.count
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn try_claim(&self, database: u32) -> Result<bool> {
        let mut admin = self.admin.clone();
        let taken: u8 = Script::new(TAKE)
            .key(key(database))
            .arg(&self.owner)
            .invoke_async(&mut admin)
            .await
            .context(|| "failed to claim a logical database")?;
        match taken {
            0 => Ok(false),
            // A dead owner's leavings may go.
            2 => flush(&mut admin, &[database], self.home).await.map(|()| true),
            _ => {
                let (size,): (u64,) = pipe()
                    .cmd("SELECT")
                    .arg(database)
                    .ignore()
                    .cmd("DBSIZE")
                    .cmd("SELECT")
                    .arg(self.home)
                    .ignore()
                    .query_async(&mut admin)
                    .await
                    .context(|| "failed to look into a logical database")?;
                if size > 0 {
                    self.give(database).await;
                }
                Ok(size == 0)
            }
        }
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
        match flush(&mut self.admin.clone(), &[database], self.home).await {
            Ok(()) => self.give(database).await,
            Err(error) => tracing::warn!(%error, database, "a logical database could not be emptied"),
        }
    }

    /// Gives everything back.
    pub(super) async fn clear(&self) {
        self.renewal.abort();
        let mut admin = self.admin.clone();
        for database in 0..self.count {
            let owner: redis::RedisResult<Option<String>> = admin.get(key(database)).await;
            if owner.is_ok_and(|owner| owner.as_ref() == Some(&self.owner)) {
                self.release(database).await;
            }
        }
        remove_users(&mut admin, &self.owner).await;
        let _: redis::RedisResult<()> = admin.del(alive(&self.owner)).await;
    }

    /// Empties what dead owners left, and deletes their users.
    async fn harvest(&self) -> Result<()> {
        let mut admin = self.admin.clone();
        for database in 0..self.count {
            let owner: Option<String> = admin
                .get(key(database))
                .await
                .context(|| "failed to look for what dead supervisors left")?;
            let Some(owner) = owner.filter(|owner| *owner != self.owner) else {
                continue;
            };
            let lives: bool = admin
                .exists(alive(&owner))
                .await
                .context(|| "failed to look for other supervisors")?;
            if !lives && self.try_claim(database).await? {
                tracing::info!(database, owner, "emptied what a dead supervisor left");
                self.give(database).await;
                remove_users(&mut admin, &owner).await;
            }
        }
        Ok(())
    }
}

/// A lease's user carries its owner's digits at the end of its name.
async fn remove_users(admin: &mut MultiplexedConnection, owner: &str) {
    let users: Vec<String> = cmd("ACL").arg("USERS").query_async(admin).await.unwrap_or_default();
    for user in users.iter().filter(|user| user.contains(&format!("#{owner}-"))) {
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
