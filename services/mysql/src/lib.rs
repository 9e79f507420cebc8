//! MariaDB 10.5 and later.
//!
//! Every test leases one *database*, a copy of its template, from a pool that every test of that template shares. See
//! [`MariaDb`] for what the attribute can say.

mod admin;
mod explain;
mod external;
mod grant;
mod inject;
mod recipe;
mod slices;
mod steps;
mod transaction;

use std::future::Future;
use std::time::Duration;

use itest_runtime::provider::{Endpoint, Recipe};
use itest_runtime::service::asked::{check_env, check_settings, check_version};
use itest_runtime::service::{Outcome, Placement, Service, Stage, Steps, TemplateId, TestContext, Used};
use itest_runtime::{Error, Lease, Result};
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;
use sqlx::migrate::Migrator;

pub use grant::MariaDbGrant;
pub use slices::{MariaDbSlice, MariaDbSlices};
use steps::EmbeddedMigrator;
pub use transaction::MariaDbSession;

/// Which code this is: a supervisor serves no test of another.
const CODE: &str = itest_macros::code!();

/// A MariaDB database: `#[integration(mariadb)]`.
///
/// Gives tests `sqlx::MySqlPool`, `sqlx::MySqlConnection`, `sqlx::Transaction<'static, sqlx::MySql>`,
/// `sqlx::mysql::MySqlConnectOptions` and [`Url<MariaDb>`](itest_runtime::Url).
///
/// The database, its user and all in it are the test's own. What belongs to the whole server isn't: **named locks**
/// (`GET_LOCK`), users, global variables.
pub fn mariadb() -> MariaDb {
    MariaDb {
        placement: Placement::default(),
        version: None,
        settings: Vec::new(),
        image: None,
        env: Vec::new(),
        isolation: Isolation::Database,
        steps: Steps::none(),
    }
}

/// What a test asks of MariaDB. In the attribute, `key = value` is `.key(value)`, and a bare word is `.word()`.
///
/// ```
/// use itest_mysql::mariadb;
///
/// // #[integration(mariadb(version = "11", migrations = "./migrations", fixtures("users", "orders")))]
/// let asked = mariadb().version("11").migrations("./migrations").fixtures(["users", "orders"]);
/// ```
#[derive(Debug, Clone)]
pub struct MariaDb {
    placement: Placement,
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
    env: Vec<String>,
    isolation: Isolation,
    steps: Steps<MySqlPool, EmbeddedMigrator>,
}

/// How long the connections that built a template have to end by themselves.
const CLOSES: Duration = Duration::from_secs(1);

/// How far a test's database is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Isolation {
    /// A database of the test's own.
    Database,
    /// One transaction, which is rolled back.
    Transaction,
    /// None: one database for all tests of the template.
    Shared,
}

impl MariaDb {
    /// The server's version: `"11"`, or `"10.11"`. Without it, the first in `PATH`, else the newest there is. An external
    /// server of another version is an error.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Server settings such as `"max_allowed_packet=64M"`, as lines of `my.cnf`. Tests with other settings get another server.
    /// With an external server they are an error: its settings aren't ours to change.
    pub fn settings<S: Into<String>>(mut self, settings: impl IntoIterator<Item = S>) -> Self {
        self.settings.extend(settings.into_iter().map(Into::into));
        self
    }

    /// A folder with sqlx migrations, relative to the package. They are part of the template, as are [`Self::migrator`],
    /// [`Self::fixtures`] and [`Self::setup`], which run in the order in which they are written.
    pub fn migrations(mut self, folder: impl Into<String>) -> Self {
        self.steps.folder("migrations", folder, "sql");
        self
    }

    /// Migrations that `sqlx::migrate!()` has put into the binary.
    pub fn migrator(mut self, migrator: &'static Migrator) -> Self {
        self.steps.embedded(EmbeddedMigrator(migrator));
        self
    }

    /// SQL files, run in this order. As in `sqlx::test`, `"users"` is `fixtures/users.sql` next to the test's file; a name
    /// with a slash or that ends in `.sql` is a path relative to the test's file.
    pub fn fixtures<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.steps.fixtures(names, "sql");
        self
    }

    /// A function of your own that fills the template: `async fn(MySqlPool) -> Result<(), E>`. It runs once for all tests that
    /// start from the template; a rebuilt test binary rebuilds the template.
    ///
    /// ```
    /// use itest_mysql::mariadb;
    /// use sqlx::MySqlPool;
    ///
    /// async fn one_user(db: MySqlPool) -> sqlx::Result<()> {
    ///     sqlx::query("INSERT INTO users (name) VALUES ('Ada')").execute(&db).await?;
    ///     Ok(())
    /// }
    ///
    /// // #[integration(mariadb(migrations = "./migrations", setup = one_user))]
    /// let asked = mariadb().migrations("./migrations").setup(one_user);
    /// ```
    pub fn setup<F, R, O>(mut self, function: F) -> Self
    where
        F: Fn(MySqlPool) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        self.steps.setup(function, steps::plainly);
        self
    }

    /// A database of the test's own, as without this word.
    pub fn database(mut self) -> Self {
        self.isolation = Isolation::Database;
        self
    }

    /// One connection, in a transaction that is open already and is rolled back at the end. **DDL commits it**, as do `LOCK TABLES`
    /// and their like; what is committed goes with the database all the same. A second connection, or another process, sees
    /// nothing of it. `AUTO_INCREMENT` counts on.
    pub fn transaction(mut self) -> Self {
        self.isolation = Isolation::Transaction;
        self
    }

    /// One database for all tests of the same template, at the same time: no isolation.
    pub fn shared(mut self) -> Self {
        self.isolation = Isolation::Shared;
        self
    }

    /// A server of the test's own, where it may do anything: users, global variables, replication.
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }

    /// The image of its container, which must keep the official image's contract. Other providers ignore it.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Environment variables of the server, each as `"NAME=value"`. Tests with others get another server. With an external server
    /// they are an error.
    pub fn env<S: Into<String>>(mut self, variables: impl IntoIterator<Item = S>) -> Self {
        self.env.extend(variables.into_iter().map(Into::into));
        self
    }
}

itest_runtime::options!(MariaDb {
    docker,
    native,
    external
});

/// What shapes the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MariaDbServer {
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
    env: Vec<String>,
}

impl MariaDbServer {
    /// Whether somebody else's server may be what the test asks for.
    fn check_external(&self) -> Result<()> {
        let asked = self.settings.first().map(|setting| ("server setting", setting));
        let asked = asked.or_else(|| self.env.first().map(|variable| ("environment variable", variable)));
        let Some((what, which)) = asked else { return Ok(()) };
        let name = which.split('=').next().unwrap_or_default();
        Err(Error::new(format!(
            "the test asks for the {what} `{name}`, and an external server's are not ours to change"
        ))
        .hint("set it on that server and take it out of the test, or write `mariadb(native, …)`")
        .permanent())
    }
}

/// What shapes the slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MariaDbSpec {
    pub(crate) template: Option<TemplateId>,
    /// What that is made upon.
    pub(crate) base: Option<TemplateId>,
    /// Whether what comes upon it are fixture files alone.
    pub(crate) has_files_alone: bool,
    pub(crate) isolation: Isolation,
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for MariaDb {
    const NAME: &'static str = "mariadb";
    const CODE: &'static str = CODE;
    type ServerSpec = MariaDbServer;
    type SliceSpec = MariaDbSpec;
    type Grant = MariaDbGrant;
    type Slices = MariaDbSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, test: &TestContext) -> Result<(MariaDbServer, MariaDbSpec)> {
        check_env(Self::NAME, &self.env)?;
        check_settings(Self::NAME, &recipe::dashed(&self.settings), recipe::OWN)?;
        check_version("MariaDB", self.version.as_deref(), recipe::FIRST)?;
        let server = MariaDbServer {
            version: self.version.clone(),
            settings: self.settings.clone(),
            image: self.image.clone(),
            env: self.env.clone(),
        };
        let slice = MariaDbSpec {
            template: self.steps.template(test, &[CODE.as_bytes()])?,
            base: self.steps.base(test, &[CODE.as_bytes()])?,
            has_files_alone: self.steps.has_files_alone(),
            isolation: self.isolation,
        };
        Ok((server, slice))
    }

    fn recipe(server: &MariaDbServer) -> Recipe {
        Recipe::native(recipe::native(server)).or_docker(recipe::docker(server))
    }

    fn complete(url: &str) -> Result<String> {
        grant::check_url(url).map(|()| url.to_owned())
    }

    async fn connect(server: &MariaDbServer, endpoint: &Endpoint) -> Result<MariaDbSlices> {
        MariaDbSlices::connect(server, endpoint).await
    }

    fn url(grant: &MariaDbGrant) -> Result<String> {
        grant.url()
    }

    async fn build(&self, test: &TestContext, blank: &MariaDbGrant, stage: Stage) -> Result<()> {
        let pool = blank.pool()?;
        let built = steps::run(self.steps.of(stage), test, &pool).await;
        // It waits for every connection to come back, also for one that a setup function gave to a task of its own.
        let _ = itest_runtime::wall::timeout(CLOSES, pool.close()).await;
        built
    }

    async fn finish(lease: &Lease<Self>) -> Result<Used> {
        transaction::finish(lease).await;
        Ok(Used::Unknown)
    }

    fn explain(&self, failure: &str) -> Option<String> {
        explain::explain(self.isolation, &self.settings, failure)
    }

    fn open_command(grant: &MariaDbGrant) -> Option<String> {
        Some(grant.open_command())
    }
}

/// An error of sqlx with what was wanted. What the server says comes without sqlx's words around it.
pub(crate) fn failed(wanted: &str, error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(said) => Error::new(said.message().to_owned()).context(wanted),
        error => Error::caused(wanted, error),
    }
}
