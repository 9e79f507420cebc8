//! The supervisor's end: databases, templates and roles.

mod base;
mod connect;
mod keep;
mod owner;
mod template;
mod terms;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use itest_runtime::service::Lost;
use itest_runtime::service::random_hex;
use itest_runtime::service::{KeptTemplate, LeaseName, PoolSpec, Recycled, Slices, Used};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Context, Error, Result};
use owner::Places;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use terms::Terms;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use super::admin::{Admin, bound_locks, end_other_sessions, end_others, ident, literal};
use super::external::{self, SignOfLife};
use super::grant::{Address, PgGrant};
use super::recycle::{Baseline, Contract, OPENING, Template as Content};
use super::{Isolation, PgSpec, Postgres};

/// What a rolled back transaction inserted stays behind as dead rows. Where they can't be counted, a new database is cheaper
/// after this many.
const ROLLBACKS: u32 = 500;
/// Renaming roles leaves dead rows in the server's own tables, which every login passes: they are vacuumed after this many leases.
const LEASES: u64 = 64;
/// How long to wait for a lock in a slice before those who hold it are ended.
const LOCKED: Duration = Duration::from_millis(500);
/// How many connections one lease may have: of the server's 300, so that no test can take them all.
const CONNECTIONS: i32 = 100;
/// The longest name that the server takes.
const NAME_LIMIT: usize = 63;

/// What sessions of a role in a database are running, and which session's lock they wait for. That one's last statement is told:
/// the one that took the lock, or a later one.
const BUSY_WITH: &str = r"WITH said AS (
       SELECT pid, usename, datname, state, wait_event_type, query_start,
         left(regexp_replace(trim(query), '\s+', ' ', 'g'), 300) AS query FROM pg_stat_activity
     )
     SELECT concat('`', s.query, '`, for ', round(extract(epoch FROM clock_timestamp() - s.query_start)::numeric, 1), ' s',
       CASE WHEN s.wait_event_type = 'Lock' THEN ', waiting for a lock' END,
       (SELECT string_agg(concat(' of a session that is ', b.state, ' after `', b.query, '`'), ' and')
          FROM said AS b WHERE s.wait_event_type = 'Lock' AND b.pid = ANY (pg_blocking_pids(s.pid)) AND b.datname = s.datname))
     FROM said AS s WHERE s.usename = $1 AND s.datname = $2 AND s.state = 'active' AND s.pid <> pg_backend_pid()
     ORDER BY s.query_start LIMIT 10";

/// Makes, grants and recycles databases on one server.
#[derive(Debug)]
pub struct PgSlices {
    admin: Admin,
    address: Address,
    owner: String,
    logins: Logins,
    can_create: bool,
    dedicated: bool,
    /// `STRATEGY file_copy`, where that is the faster one: with fsync off, from version 15 on.
    strategy: &'static str,
    _sign_of_life: Option<SignOfLife>,
    /// Removes what dead supervisors left on an external server.
    harvest: Mutex<Option<JoinHandle<()>>>,
    templates: Mutex<HashMap<Fingerprint, Template>>,
    /// Whether a template came or went since the server started.
    has_news: AtomicBool,
    /// The database to clone where there is no template, once it is made.
    base: OnceCell<String>,
    /// What is in a database without a template.
    blank: OnceCell<Arc<Content>>,
    /// Since when the server runs, and since when it counts.
    era: String,
    /// Told when the server is in another era.
    lost: Lost,
    /// How many leases ended.
    ended: AtomicU64,
    /// Whether the server tells what changed in a database, so that it can be used again.
    recycles: bool,
}

/// As whom tests log in.
#[derive(Debug, Clone)]
enum Logins {
    /// Each lease as a role of its own, so that clients of an earlier lease are locked out.
    Own,
    /// All as the user of the URL, who may not make roles. No database is then used twice.
    UrlUser {
        user: String,
        password: String,
        database: String,
    },
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address")
    }
}

#[derive(Debug, Clone)]
enum Template {
    Draft {
        database: String,
        /// What its builder logs in by, as the server keeps it.
        login: Option<String>,
    },
    Sealed(Arc<Sealed>),
}

/// A template that slices are made of.
#[derive(Debug)]
struct Sealed {
    database: String,
    terms: Terms,
    /// Where its catalogs name its owner, as seen in the first slice.
    places: OnceCell<Places>,
    /// What it was made of.
    source: Option<Fingerprint>,
    built: SystemTime,
    /// What is in it, as seen in the first slice.
    content: OnceCell<Arc<Content>>,
}

/// One database.
#[derive(Debug)]
pub struct PgSlice {
    database: String,
    role: Option<String>,
    /// What the role is called if renaming it failed.
    former_role: Option<String>,
    /// What is in its template; none if it is not used twice.
    content: Option<Arc<Content>>,
    /// What it has to be once more, where changes are counted.
    baseline: Option<Baseline>,
    /// Stays open while the database is used again: no fork, no cold catalog cache.
    connection: Option<PgConnection>,
    /// How many transactions were rolled back here.
    rollbacks: u32,
    /// As what the role was opened last, if nothing of that has changed since.
    opened: Option<Isolation>,
    /// The URL's own database: nothing of it is ours.
    is_guest: bool,
}

impl PgSlice {
    fn new(database: String, role: Option<String>) -> Self {
        Self {
            database,
            role,
            former_role: None,
            content: None,
            baseline: None,
            connection: None,
            rollbacks: 0,
            opened: None,
            is_guest: false,
        }
    }
}

impl PgSlices {
    fn next_name(&self, kind: &str) -> String {
        next_name(&self.owner, kind)
    }

    fn templates(&self) -> MutexGuard<'_, HashMap<Fingerprint, Template>> {
        self.templates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self, template: &Fingerprint) -> Result<Arc<Sealed>> {
        match self.templates().get(template) {
            Some(Template::Sealed(sealed)) => Ok(sealed.clone()),
            Some(Template::Draft { .. }) | None => Err(Error::new("the template isn't there")),
        }
    }

    /// Makes a database that belongs to `role`, or to the URL's user.
    async fn create(&self, database: &str, template: &str, role: Option<&str>) -> Result<()> {
        let owner = role.map(|role| format!("OWNER {}", ident(role))).unwrap_or_default();
        self.admin
            .create_database(database, template, &format!("{owner} {}", self.strategy))
            .await?;
        // On a server of its own a test may log in as whom it likes.
        if role.is_none() || self.dedicated {
            return Ok(());
        }
        let closed = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", ident(database));
        self.admin
            .run("failed to close a database to other tests", closed)
            .await
    }

    /// Makes a role that may log in, on a server of a test's own as a superuser: migrations may need what only a superuser can
    /// do, most extensions and roles.
    async fn create_role(&self, role: &str, options: &str) -> Result<()> {
        let rights = if self.dedicated { "SUPERUSER" } else { "" };
        let made = format!("CREATE ROLE {} LOGIN {rights} {options}", ident(role));
        self.admin.run("failed to make a role", made).await
    }

    async fn drop_role(&self, role: &str) -> Result<()> {
        let dropped = format!("DROP ROLE IF EXISTS {}", ident(role));
        self.admin.run("failed to drop a role", dropped).await
    }

    fn grant_of(&self, database: &str, user: String, password: String, isolation: Isolation) -> PgGrant {
        PgGrant {
            address: self.address.clone(),
            database: database.to_owned(),
            user,
            password,
            isolation,
            bare: false,
            must_see_rollback: true,
        }
    }

    async fn connection<'a>(&self, slice: &'a mut PgSlice) -> Result<&'a mut PgConnection> {
        if slice.connection.is_none() {
            slice.connection = Some(self.connect_to(&slice.database).await?);
        }
        slice
            .connection
            .as_mut()
            .ok_or_else(|| Error::new("a slice has no connection"))
    }

    /// A connection of the supervisor's own that nothing in the database bends.
    async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        let wanted = || "failed to connect to a slice";
        // These could end the session before it can say anything.
        let patient = [("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
        let options = self.admin.options_in(database).options(patient);
        let mut connection = PgConnection::connect_with(&options).await.context(wanted)?;
        bound_locks(&mut connection, LOCKED).await.context(wanted)?;
        if self.recycles {
            sqlx::raw_sql(OPENING).execute(&mut connection).await.context(wanted)?;
        }
        Ok(connection)
    }

    /// Notes what a new database, a clone of `template`, has to be once more after each lease.
    async fn take_baseline(&self, slice: &mut PgSlice, template: Option<&Sealed>) -> Result<()> {
        let Some(role) = slice.role.clone().filter(|_| !self.dedicated) else {
            return Ok(());
        };
        slice.content = Some(self.learn(slice, template).await?);
        if !self.recycles {
            return Ok(());
        }
        let query = Contract::query(&literal(&slice.database), &literal(&role));
        let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(self.admin.pool()).await;
        let contract = Contract::read(&row.context(|| "failed to look at a new database")?)?;
        slice.baseline = contract.counts_everything().then(|| Baseline::of_new(contract));
        Ok(())
    }

    /// What is in a new database and its template: looked up in the first one.
    async fn learn(&self, slice: &mut PgSlice, template: Option<&Sealed>) -> Result<Arc<Content>> {
        let known = template.map_or(&self.blank, |template| &template.content);
        let read = async || {
            let connection = self.connection(slice).await?;
            let content = if self.recycles {
                Content::read(connection).await
            } else {
                Content::read_sequences(connection).await
            };
            content.map(Arc::new)
        };
        known.get_or_try_init(read).await.cloned()
    }

    /// What renames a lease's role, so that nobody who knows its name gets in, and the new name. It is committed before what
    /// follows in the same message begins: whoever got in before is seen then.
    fn lock_out(&self, role: &str) -> (String, String) {
        let parked = self.next_name("p");
        (
            format!("BEGIN; ALTER ROLE {} RENAME TO {}; COMMIT", ident(role), ident(&parked)),
            parked,
        )
    }

    /// Where changes aren't counted: after a rollback that was seen, only stale clients and sequences are left to deal with.
    /// In one message, if all is as it should be.
    async fn recycle_rolled_back(&self, slice: &mut PgSlice, content: &Content, locked: &str) -> Result<Recycled> {
        let database = slice.database.clone();
        let connection = self.connection(slice).await?;
        let restore = content.restore_sequences().unwrap_or_default();
        // Whoever logs in after the first COMMIT is turned away, and whoever did so before it is counted.
        let all = format!("{locked}; {}; {restore}", end_others(&database));
        let row = sqlx::raw_sql(AssertSqlSafe(all)).fetch_one(&mut *connection).await;
        let left: i64 = row
            .and_then(|row| row.try_get(0))
            .context(|| "failed to take a rolled back database back")?;
        if left > 0 {
            end_other_sessions(connection, &database).await?;
            if !restore.is_empty() {
                let restored = sqlx::raw_sql(AssertSqlSafe(restore.to_owned()))
                    .execute(connection)
                    .await;
                restored.context(|| "failed to put sequences back")?;
            }
        }
        slice.rollbacks += 1;
        Ok(Recycled::Ready)
    }
}

impl Slices<Postgres> for PgSlices {
    type Slice = PgSlice;

    fn pool(&self, spec: &PgSpec) -> Result<PoolSpec> {
        let name = spec
            .template
            .as_ref()
            .map_or_else(|| "blank".to_owned(), ToString::to_string);
        let made_of = |pool: PoolSpec| pool.template(spec.template.clone(), spec.source.clone());
        match spec.isolation {
            Isolation::Shared if self.can_create => Ok(made_of(PoolSpec::exclusive(format!("shared {name}"))).shared()),
            _ if self.can_create => Ok(made_of(PoolSpec::exclusive(name))),
            // The test makes its template's content itself, within its transaction.
            Isolation::Transaction => Ok(PoolSpec::exclusive("guest").shared()),
            Isolation::Database | Isolation::Shared => Err(Error::new(
                "the user of ITEST_POSTGRES_URL may not create databases, and this test needs one of its own",
            )
            .hint(
                "run `ALTER ROLE … CREATEDB` for that user, or write `postgres(transaction)`, which rolls everything back in \
                 the URL's own database",
            )),
        }
    }

    async fn make(&self, spec: &PgSpec) -> Result<PgSlice> {
        let guest = match &self.logins {
            Logins::UrlUser { database, .. } if !self.can_create => Some(database.clone()),
            Logins::UrlUser { .. } | Logins::Own => None,
        };
        if let Some(database) = guest {
            return Ok(PgSlice {
                is_guest: true,
                ..PgSlice::new(database, None)
            });
        }
        self.check_era().await?;
        let database = self.next_name("s");
        let template = spec
            .template
            .as_ref()
            .map(|template| self.sealed(template))
            .transpose()?;
        let template = template.as_deref();
        let role = matches!(self.logins, Logins::Own).then(|| database.clone());
        if let Some(role) = &role {
            self.create_role(role, "").await?;
        }
        let mut slice = PgSlice::new(database.clone(), role.clone());
        let made = async {
            let from = match template {
                Some(template) => &template.database,
                None => self.base().await?,
            };
            self.create(&database, from, role.as_deref()).await?;
            if let Some(template) = template {
                template
                    .terms
                    .copy(&self.admin, from, &database, role.as_deref())
                    .await?;
                self.hand_over(&mut slice, template).await?;
            }
            self.take_baseline(&mut slice, template).await
        };
        match made.await {
            Ok(()) => Ok(slice),
            Err(error) => {
                self.destroy(slice).await;
                Err(error)
            }
        }
    }

    async fn grant(&self, slice: &mut PgSlice, spec: &PgSpec, lease: &LeaseName) -> Result<PgGrant> {
        let opened = self.open(slice, spec, lease).await;
        // If it failed, was it the slice, or all of the server? And what wasn't done over a connection to the slice itself, which
        // no restart would have left open, may have been done to what a crash has left of it.
        if opened.is_err() || slice.connection.is_none() || spec.isolation == Isolation::Shared {
            self.check_era().await?;
        }
        opened
    }

    async fn recycle(&self, slice: &mut PgSlice, used: Used) -> Result<Recycled> {
        let Some(role) = slice.role.clone().filter(|_| !self.dedicated) else {
            return Ok(Recycled::Gone);
        };
        let (locked, parked) = self.lock_out(&role);
        (slice.role, slice.former_role) = (Some(parked), Some(role));
        let recycled = match (slice.content.clone(), slice.baseline.take()) {
            (Some(content), Some(mut baseline)) => {
                let connection = self.connection(slice).await?;
                let is_back = baseline.recycle(connection, &content, &locked).await?;
                slice.baseline = Some(baseline);
                if is_back { Recycled::Ready } else { Recycled::Gone }
            }
            (Some(content), None) if used == Used::RolledBack && slice.rollbacks < ROLLBACKS => {
                self.recycle_rolled_back(slice, &content, &locked).await?
            }
            (Some(_) | None, _) => {
                self.admin.run("failed to lock a lease's clients out", locked).await?;
                Recycled::Gone
            }
        };
        slice.former_role = None;
        if self.ended.fetch_add(1, Ordering::Relaxed) % LEASES == LEASES - 1 {
            self.admin.vacuum_shared().await;
        }
        Ok(recycled)
    }

    async fn destroy(&self, slice: PgSlice) {
        if slice.is_guest {
            return;
        }
        if let Some(connection) = slice.connection {
            let _ = connection.close().await;
        }
        let dropped = async {
            self.admin.drop_database(&slice.database).await?;
            for role in slice.role.iter().chain(&slice.former_role) {
                self.drop_role(role).await?;
            }
            Ok::<_, Error>(())
        };
        let dropped = dropped.await;
        if let Err(error) = dropped {
            tracing::warn!(%error, database = slice.database, "a slice could not be removed");
        }
    }

    async fn begin_template(&self, spec: &PgSpec) -> Result<PgGrant> {
        self.begin_draft(spec).await
    }

    async fn seal_template(&self, spec: &PgSpec) -> Result<()> {
        self.seal_draft(spec).await
    }

    async fn abandon_template(&self, spec: &PgSpec) {
        self.abandon_draft(spec).await;
    }

    async fn drop_template(&self, template: &Fingerprint) {
        self.drop_sealed(template).await;
    }

    fn kept_templates(&self) -> Vec<KeptTemplate> {
        self.kept()
    }

    async fn leave_templates(&self) -> bool {
        self.leave().await
    }

    async fn mark_log(&self, mark: &str) -> bool {
        let raised = format!("DO 'BEGIN RAISE LOG ''%'', ''{mark}''; END'");
        self.admin
            .run("failed to write to the server's log", raised)
            .await
            .is_ok()
    }

    async fn busy_with(&self, grant: &PgGrant) -> Vec<String> {
        let told = sqlx::query_scalar(BUSY_WITH).bind(&grant.user).bind(&grant.database);
        told.fetch_all(self.admin.pool()).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the server doesn't tell what it is doing");
            Vec::new()
        })
    }

    fn owns_line(&self, grant: &PgGrant, line: &str) -> bool {
        // By our own prefix: `… [pid] user@database `. That a test dropped its connection is nothing to read about.
        line.contains(&format!("] {}@", grant.user)) && !line.contains("unexpected EOF on client connection")
    }

    async fn lost(&self) -> String {
        self.lost.why().await
    }

    async fn clear(&self) {
        if matches!(self.address, Address::External { .. }) && self.can_create {
            external::clear(&self.admin, &self.owner).await;
            // What others left may resist.
            let harvest = self.harvest.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(harvest) = harvest {
                let _ = harvest.await;
            }
        }
    }
}

impl PgSlices {
    /// Checks that the server wasn't restarted since we came: after a crash, unlogged tables are empty and counters begin
    /// anew, in templates, too.
    pub(super) async fn check_era(&self) -> Result<()> {
        let era = self.admin.era().await;
        if era.as_ref().is_ok_and(|era| *era == self.era) {
            return Ok(());
        }
        self.lost
            .because("it ended or was restarted, and what was known of its databases may not hold");
        era.and(Err(Error::new(
            "the PostgreSQL server was restarted while tests were using it; the next test finds everything made again",
        )))
    }

    /// Opens a slice to one lease.
    async fn open(&self, slice: &mut PgSlice, spec: &PgSpec, lease: &LeaseName) -> Result<PgGrant> {
        let (old, password) = match (&slice.role, &self.logins) {
            (Some(role), _) => (role.clone(), random_hex(24)),
            (None, Logins::UrlUser { user, password, .. }) => {
                let (user, password) = (user.clone(), password.clone());
                return Ok(PgGrant {
                    bare: slice.is_guest,
                    ..self.grant_of(&slice.database, user, password, spec.isolation)
                });
            }
            (None, Logins::Own) => return Err(Error::new("a slice has no role")),
        };
        if spec.isolation == Isolation::Shared {
            return self.grant_shared(slice, spec, lease, &password).await;
        }
        let new = lease.within(NAME_LIMIT);
        let limit = if spec.isolation == Isolation::Transaction {
            1
        } else {
            CONNECTIONS
        };
        let mut granted = format!("ALTER ROLE {} RENAME TO {}", ident(&old), ident(&new));
        // From one transaction to the next nothing else changes where a socket needs no password: none of them can be reached
        // by a URL.
        let as_before = slice.opened == Some(Isolation::Transaction) && spec.isolation == Isolation::Transaction;
        if !as_before || !matches!(self.address, Address::Native { .. }) {
            granted.push_str(&format!(
                "; ALTER ROLE {new} CONNECTION LIMIT {limit} PASSWORD {password}",
                new = ident(&new),
                password = literal(&password),
            ));
        }
        match &mut slice.connection {
            // Quicker than one of the pool's.
            Some(connection) => sqlx::raw_sql(AssertSqlSafe(granted))
                .execute(connection)
                .await
                .map(drop)
                .context(|| "failed to open a database to the test")?,
            None => self.admin.run("failed to open a database to the test", granted).await?,
        }
        slice.role = Some(new.clone());
        slice.opened = Some(spec.isolation);
        Ok(PgGrant {
            must_see_rollback: slice.baseline.is_none(),
            ..self.grant_of(&slice.database, new, password, spec.isolation)
        })
    }

    /// Each lease of a shared database has a role of its own besides.
    async fn grant_shared(&self, slice: &PgSlice, spec: &PgSpec, lease: &LeaseName, password: &str) -> Result<PgGrant> {
        let role = lease.within(NAME_LIMIT);
        let owner = slice.role.as_deref().unwrap_or_default();
        let made = format!(
            "CREATE ROLE {role} LOGIN PASSWORD {password}; GRANT {owner} TO {role}; {like_owner}; ALTER ROLE {role} SET role = {owner}",
            like_owner = terms::like_role(slice.role.as_deref().unwrap_or_default(), &role),
            role = ident(&role),
            owner = ident(owner),
            password = literal(password),
        );
        self.admin.run("failed to make a role", made).await?;
        Ok(self.grant_of(&slice.database, role, password.to_owned(), spec.isolation))
    }
}

/// A name that nothing else of this supervisor's has: tests with other options are on other `PgSlices`, and yet on one
/// external server.
fn next_name(owner: &str, kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "{}{kind}{}",
        external::prefix(owner),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
