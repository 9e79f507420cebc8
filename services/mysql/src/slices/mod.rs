//! The supervisor's end: databases and their users. A slice is never used twice: the next test has another copy of the template, made
//! behind the last one's back.

mod content;
mod offers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use itest_runtime::provider::Endpoint;
use itest_runtime::service::asked::check_found;
use itest_runtime::service::{LeaseName, Offers, PoolSpec, Service, Slices, Sweep, random_hex};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Context, Error, Result};

use self::content::Content;
use super::admin::{Admin, account, all_of, ident, literal};
use super::external::SignOfLife;
use super::grant::Address;
use super::recipe::{ADMIN, CONTAINER_ADMIN, SOCKET};
use super::{Isolation, MariaDb, MariaDbGrant, MariaDbServer, MariaDbSpec};

/// How many slices of a pool there are more than tests that run: making one takes longer than a short test.
const SPARE: usize = 2;

/// Makes, grants and removes databases on one server.
#[derive(Debug)]
pub struct MariaDbSlices {
    admin: Arc<Admin>,
    address: Address,
    dedicated: bool,
    templates: Mutex<HashMap<Fingerprint, Template>>,
    made: AtomicU64,
    _sign_of_life: SignOfLife,
    /// Removes what dead supervisors left on an external server.
    sweep: Sweep,
}

#[derive(Debug)]
enum Template {
    /// A database that somebody builds in.
    Draft(String),
    Sealed(Arc<Content>),
}

/// One database; its user has its name.
#[derive(Debug)]
pub struct MariaDbSlice {
    database: String,
}

impl MariaDbSlices {
    pub(crate) async fn connect(server: &MariaDbServer, endpoint: &Endpoint) -> Result<Self> {
        let Endpoint {
            host,
            port,
            password,
            owner,
            ..
        } = endpoint;
        let (address, user, what) = if let Some(url) = &endpoint.url {
            server.check_external()?;
            (
                Address::External { url: url.clone() },
                None,
                "the external server".to_owned(),
            )
        } else if let Some(container) = &endpoint.container {
            let (host, port) = (host.clone(), *port);
            (
                Address::Docker { host, port },
                Some(CONTAINER_ADMIN),
                container.image.clone(),
            )
        } else {
            let folder = endpoint
                .folder
                .as_ref()
                .ok_or_else(|| Error::new("the server has no folder"))?;
            let (socket, port) = (folder.join(SOCKET), *port);
            (Address::Native { socket, port }, Some(ADMIN), "the server".to_owned())
        };
        let options = address.options(user.map(|user| (user, password.as_str())))?;
        let admin = Arc::new(Admin::connect(options.clone(), owner).await?);
        check_version(&admin, server, &what).await?;
        // Also on a server of ours, which may be somebody else's in the eyes of another supervisor.
        let sign_of_life = SignOfLife::give(&options, owner).await?;
        let sweep = match &endpoint.url {
            Some(_) => Sweep::begin(admin.clone(), owner),
            None => Sweep::none(),
        };
        Ok(Self {
            admin,
            address,
            dedicated: endpoint.dedicated,
            templates: Mutex::default(),
            made: AtomicU64::new(0),
            _sign_of_life: sign_of_life,
            sweep,
        })
    }

    fn templates(&self) -> MutexGuard<'_, HashMap<Fingerprint, Template>> {
        self.templates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self, template: &Fingerprint) -> Result<Arc<Content>> {
        match self.templates().get(template) {
            Some(Template::Sealed(content)) => Ok(content.clone()),
            Some(Template::Draft(_)) | None => Err(Error::new("the template isn't there any more")),
        }
    }

    /// A name for a database and its user that nothing else here has.
    fn next_name(&self, kind: char) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        format!("itest_{}_{kind}{number}", self.admin.owner())
    }

    /// Makes a database, blank or a copy, and a user who can't log in yet.
    async fn create(&self, database: &str, content: Option<&Content>) -> Result<()> {
        let user = account(database);
        let rights = if self.dedicated {
            format!("GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION")
        } else {
            format!("GRANT ALL PRIVILEGES ON {} TO {user}", all_of(database))
        };
        let characters = content.map(Content::characters).unwrap_or_default();
        let created = format!(
            "CREATE DATABASE {} {characters}; CREATE USER {user} IDENTIFIED BY {} ACCOUNT LOCK; {rights}",
            ident(database),
            literal(&random_hex(24)),
        );
        let made = async {
            self.admin
                .run("failed to make a database and its user", created)
                .await?;
            match content {
                Some(content) => content.copy_to(&self.admin, database).await,
                None => Ok(()),
            }
        };
        if let Err(error) = made.await {
            self.admin.remove_slice(database).await;
            return Err(match &self.address {
                Address::External { .. } => error.hint(
                    "the URL's user must be able to make databases and users, and to give them rights: `GRANT ALL PRIVILEGES ON *.* TO … \
                     WITH GRANT OPTION`",
                ),
                Address::Native { .. } | Address::Docker { .. } => error,
            });
        }
        Ok(())
    }

    /// Lets a user in, by a new password.
    async fn open(&self, database: &str, isolation: Isolation) -> Result<MariaDbGrant> {
        let password = random_hex(24);
        let opened = format!(
            "ALTER USER {} IDENTIFIED BY {} ACCOUNT UNLOCK",
            account(database),
            literal(&password)
        );
        self.admin.run("failed to let a user in", opened).await?;
        Ok(MariaDbGrant {
            address: self.address.clone(),
            database: database.to_owned(),
            user: database.to_owned(),
            password,
            isolation,
        })
    }
}

/// A server that is there can't be made what the test asks for.
async fn check_version(admin: &Admin, server: &MariaDbServer, what: &str) -> Result<()> {
    let found: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(admin.pool())
        .await
        .context(|| "failed to look up the server's version")?;
    if !found.contains("MariaDB") {
        let error = format!("the test asks for MariaDB, and {what} is MySQL {found}");
        return Err(Error::new(error)
            .hint(
                "set ITEST_MARIADB_URL to a server, or ITEST_MARIADB_IMAGE to an image, of MariaDB; or write \
                 `mariadb(native, …)`",
            )
            .permanent());
    }
    let found = found.split('-').next().unwrap_or_default();
    check_found(MariaDb::NAME, "MariaDB", server.version.as_deref(), what, found)
}

impl Slices<MariaDb> for MariaDbSlices {
    type Slice = MariaDbSlice;

    fn pool(&self, spec: &MariaDbSpec) -> Result<PoolSpec> {
        let pool = PoolSpec::of(spec.template.clone());
        Ok(match spec.isolation {
            Isolation::Shared => pool.shared(),
            Isolation::Database | Isolation::Transaction if self.dedicated => pool.spare(0),
            Isolation::Database | Isolation::Transaction => pool.spare(SPARE),
        })
    }

    async fn make(&self, spec: &MariaDbSpec) -> Result<MariaDbSlice> {
        let content = match &spec.template {
            Some(template) => Some(self.sealed(&template.fingerprint)?),
            None => None,
        };
        let database = self.next_name('s');
        self.create(&database, content.as_deref()).await?;
        Ok(MariaDbSlice { database })
    }

    async fn grant(&self, slice: &mut MariaDbSlice, spec: &MariaDbSpec, _: &LeaseName) -> Result<MariaDbGrant> {
        self.open(&slice.database, spec.isolation).await
    }

    async fn destroy(&self, slice: MariaDbSlice) {
        self.admin.remove_slice(&slice.database).await;
    }

    fn offers(&self) -> Offers<'_, MariaDb> {
        Offers::none().templates(self).logs(self).clearing(self)
    }
}
