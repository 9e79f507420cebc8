//! The supervisor's end: databases, templates and roles.

mod base;
mod bring_back;
mod connect;
mod keep;
mod offers;
mod open;
mod owner;
mod slice;
mod template;
mod terms;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use itest_runtime::service::{LeaseName, Lost, Offers, PoolSpec, Recycled, Slices, Sweep, Used};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Error, Result};
use owner::Places;
pub use slice::PgSlice;
use sqlx::Connection;
use terms::Terms;
use tokio::sync::OnceCell;

use super::admin::{Admin, ident};
use super::external::{self, SignOfLife};
use super::grant::{Address, PgGrant};
use super::recycle::Template as Content;
use super::{Isolation, PgSpec, Postgres};

/// What a rolled back transaction inserted stays behind as dead rows. Where they can't be counted, a new database is cheaper
/// after this many.
const ROLLBACKS: u32 = 500;
/// Renaming roles leaves dead rows in the server's own tables, which every login passes: they are vacuumed after this many leases.
const LEASES: u64 = 64;

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
    sweep: Sweep,
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
}

impl Slices<Postgres> for PgSlices {
    type Slice = PgSlice;

    fn pool(&self, spec: &PgSpec) -> Result<PoolSpec> {
        let pool = PoolSpec::of(spec.template.clone());
        match spec.isolation {
            Isolation::Shared if self.can_create => Ok(pool.shared()),
            _ if self.can_create => Ok(pool),
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
            .map(|template| self.sealed(&template.fingerprint))
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

    async fn lost(&self) -> String {
        self.lost.why().await
    }

    fn offers(&self) -> Offers<'_, Postgres> {
        Offers::none()
            .templates(self)
            .kept_templates(self)
            .logs(self)
            .clearing(self)
    }
}

impl PgSlices {
    /// Checks that the server wasn't restarted since we came: after a crash, unlogged tables are empty and counters begin
    /// at zero, in templates, too.
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
