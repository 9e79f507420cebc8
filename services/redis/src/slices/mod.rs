//! The supervisor's end: logical databases and their users.

mod connect;
mod offers;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use itest_runtime::service::{LeaseName, Lost, Offers, Recycled, Slices, Used, random_hex};
use itest_runtime::{Context, Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};

use super::RedisGrant;
use super::access::{Rules, set_user};
use super::databases::flush;
use super::external::Claims;
use crate::Redis;

/// What a lease waits for in vain when the server has too few logical databases.
pub(super) const FULL: &str = "no logical database of the Redis server is free";

/// The longest name of a user: Redis has no limit, people do.
const NAME_LIMIT: usize = 100;

/// How long another test's script may keep everybody out: the server says so after it ran for 5 s, and the end of that
/// test's lease ends it.
const BUSY: Duration = Duration::from_secs(20);
/// For how long a script is let run when a lease ends that may not be its own: the server doesn't tell whose it is.
const FOREIGN: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const TRY: Duration = Duration::from_millis(10);

/// Makes, grants and recycles logical databases on one server.
#[derive(Debug)]
pub struct RedisSlices {
    admin: MultiplexedConnection,
    address: Address,
    databases: Databases,
    users: Users,
    /// The users of leases that are open.
    open: Mutex<BTreeSet<String>>,
    lost: Lost,
}

#[derive(Debug)]
struct Address {
    server: String,
    socket: Option<std::path::PathBuf>,
}

/// Where logical databases come from.
#[derive(Debug)]
enum Databases {
    /// All of the server's are ours; zero, where clients land that forget to `SELECT`, is nobody's.
    Own { count: u32, taken: Mutex<Vec<bool>> },
    /// Others may use the server, too.
    Claimed(Claims),
    /// The server is one test's own.
    Dedicated,
}

/// As whom tests log in.
#[derive(Debug)]
enum Users {
    Own(Rules),
    Everything,
    /// All as the URL's user, where no users may be made.
    UrlUser {
        user: String,
        password: String,
    },
}

/// One logical database.
#[derive(Debug)]
pub struct RedisSlice {
    database: u32,
    user: Option<String>,
}

impl RedisSlices {
    fn open(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the script that keeps everybody out: of `user`, whose lease has ended, or of one whose lease is open.
    async fn kill_script(&self, user: &str) -> Result<()> {
        let killed = cmd("SCRIPT")
            .arg("KILL")
            .query_async::<()>(&mut self.admin.clone())
            .await;
        if killed.is_err_and(|error| error.code() == Some("UNKILLABLE")) {
            let others: String = self.open().iter().map(|other| format!(", or of {other},")).collect();
            let why = format!("a script of {user}{others} has written and never ends, which Redis lets nobody kill");
            self.lost.because(why.clone());
            return Err(Error::new(why));
        }
        Ok(())
    }

    /// Looks whether somebody else's server is still the one that we connected to, after something has failed: a restart has
    /// broken the connection, and has taken our users and claims. One of ours would have ended.
    async fn check_connection(&self) {
        if !matches!(self.databases, Databases::Claimed(_)) {
            return;
        }
        let ping = cmd("PING").query_async::<()>(&mut self.admin.clone()).await;
        if ping.is_err_and(|error| error.is_io_error() || error.is_connection_dropped()) {
            self.lost
                .because("it ended or was restarted, and what was made there is gone");
        }
    }

    async fn make_slice(&self) -> Result<RedisSlice> {
        let database = match &self.databases {
            Databases::Dedicated => 0,
            Databases::Claimed(claims) => claims.claim().await?,
            Databases::Own { count, taken } => {
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                if taken.is_empty() {
                    // Zero is nobody's.
                    taken.extend((0..*count).map(|database| database == 0));
                }
                let free = taken.iter().position(|taken| !taken).ok_or_else(|| Error::new(FULL))?;
                taken[free] = true;
                u32::try_from(free).context(|| "too many logical databases")?
            }
        };
        Ok(RedisSlice { database, user: None })
    }

    /// Cuts off everybody who uses a database, by the user's name or else by the database they are in.
    async fn cut_off(&self, slice: &mut RedisSlice) -> Result<()> {
        let mut admin = self.admin.clone();
        if let Some(user) = slice.user.take() {
            let mut delete = cmd("ACL");
            delete.arg("DELUSER").arg(&user);
            self.open().remove(&user);
            let mut deleted = patiently(&mut admin, &delete, FOREIGN, || !self.open().is_empty()).await;
            // A script that never ends keeps everybody out, and nobody else may kill it.
            if is_busy(&deleted) {
                self.kill_script(&user).await?;
                deleted = delete.query_async(&mut admin).await;
            }
            return deleted.context(|| "failed to delete a lease's user");
        }
        if !matches!(self.users, Users::UrlUser { .. }) {
            return Ok(());
        }
        let clients: String = cmd("CLIENT")
            .arg("LIST")
            .query_async(&mut admin)
            .await
            .unwrap_or_default();
        for id in clients_in(&clients, slice.database) {
            let _ = cmd("CLIENT")
                .arg("KILL")
                .arg("ID")
                .arg(id)
                .query_async::<()>(&mut admin)
                .await;
        }
        Ok(())
    }
}

/// Runs a command, again while a script keeps everybody out, for at most `limit` and as long as it is to be waited for.
async fn patiently(
    admin: &mut MultiplexedConnection,
    command: &Cmd,
    limit: Duration,
    is_waited_for: impl Fn() -> bool,
) -> redis::RedisResult<()> {
    let deadline = Instant::now() + limit;
    loop {
        let done = command.query_async(admin).await;
        if !is_busy(&done) || !is_waited_for() || Instant::now() > deadline {
            return done;
        }
        tokio::time::sleep(TRY).await;
    }
}

fn is_busy(outcome: &redis::RedisResult<()>) -> bool {
    outcome.as_ref().is_err_and(|error| error.code() == Some("BUSY"))
}

/// The commands that block clients of a user in a database, out of what `CLIENT LIST` says.
fn blocked(clients: &str, user: &str, database: u32) -> Vec<String> {
    let of_user = (format!("user={user}"), format!("db={database}"));
    let fields = clients.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let ours = fields.filter(|fields| fields.contains(&of_user.0.as_str()) && fields.contains(&of_user.1.as_str()));
    ours.filter_map(|fields| {
        let of = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
        let is_blocked = of("flags=").is_some_and(|flags| flags.contains('b'));
        let command = of("cmd=").filter(|_| is_blocked)?.to_uppercase();
        Some(format!("`{command}`, for {} s", of("idle=").unwrap_or("0")))
    })
    .collect()
}

/// The ids of the clients in one database, out of what `CLIENT LIST` says.
fn clients_in(clients: &str, database: u32) -> Vec<&str> {
    let db = format!("db={database}");
    clients
        .lines()
        .filter(|line| line.split(' ').any(|field| field == db))
        .filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("id=")))
        .collect()
}

impl Slices<Redis> for RedisSlices {
    type Slice = RedisSlice;

    async fn make(&self, (): &()) -> Result<RedisSlice> {
        let made = self.make_slice().await;
        if made.is_err() {
            self.check_connection().await;
        }
        made
    }

    async fn grant(&self, slice: &mut RedisSlice, (): &(), lease: &LeaseName) -> Result<RedisGrant> {
        let grant = |user: String, password: String| RedisGrant {
            server: self.address.server.clone(),
            socket: self.address.socket.clone(),
            user,
            password,
            database: slice.database,
        };
        let rules = match &self.users {
            Users::UrlUser { user, password } => return Ok(grant(user.clone(), password.clone())),
            Users::Own(rules) => rules.within(slice.database),
            Users::Everything => Rules::everything(),
        };
        let (user, password) = (lease.within(NAME_LIMIT), random_hex(24));
        let rules: Vec<String> = ["reset".to_owned(), "on".to_owned(), format!(">{password}")]
            .into_iter()
            .chain(rules)
            .collect();
        let made = patiently(&mut self.admin.clone(), &set_user(&user, &rules), BUSY, || true).await;
        if let Err(error) = made {
            self.check_connection().await;
            return Err(error).context(|| "failed to make a user for the test");
        }
        self.open().insert(user.clone());
        let granted = grant(user.clone(), password);
        slice.user = Some(user);
        Ok(granted)
    }

    fn limit(&self) -> Option<usize> {
        let all = match &self.databases {
            Databases::Own { count, .. } => *count,
            Databases::Claimed(claims) => claims.count(),
            Databases::Dedicated => return None,
        };
        // One of them is nobody's: zero, or the URL's own.
        usize::try_from(all.saturating_sub(1)).ok()
    }

    async fn recycle(&self, slice: &mut RedisSlice, _: Used) -> Result<Recycled> {
        self.cut_off(slice).await?;
        let mut admin = self.admin.clone();
        match &self.databases {
            Databases::Dedicated => return Ok(Recycled::Gone),
            Databases::Claimed(claims) => claims.flush(slice.database).await?,
            Databases::Own { .. } => {
                flush(&mut admin, slice.database).await?;
                // What a client that forgot to `SELECT` wrote goes, too.
                flush(&mut admin, 0).await?;
            }
        }
        Ok(Recycled::Ready)
    }

    async fn destroy(&self, mut slice: RedisSlice) {
        let cut_off = self.cut_off(&mut slice).await;
        match &self.databases {
            Databases::Dedicated => {}
            Databases::Claimed(claims) => claims.release(slice.database).await,
            Databases::Own { taken, .. } => {
                let emptied = flush(&mut self.admin.clone(), slice.database).await;
                // A database that can't be emptied is never used again.
                if cut_off.is_ok() && emptied.is_ok() {
                    taken.lock().unwrap_or_else(PoisonError::into_inner)[slice.database as usize] = false;
                }
            }
        }
    }

    async fn lost(&self) -> String {
        self.lost.why().await
    }

    fn offers(&self) -> Offers<'_, Redis> {
        Offers::none().logs(self).clearing(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_found_by_their_database() {
        let list = "id=3 addr=127.0.0.1:1 db=1 sub=0\nid=4 addr=127.0.0.1:2 db=17 sub=0\nid=5 addr=127.0.0.1:3 db=1\n";
        assert_eq!(clients_in(list, 1), ["3", "5"]);
        assert_eq!(clients_in(list, 17), ["4"]);
    }
}
