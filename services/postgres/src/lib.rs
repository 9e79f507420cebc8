//! PostgreSQL 13 and later.
//!
//! Every test leases one *database*, a clone of its template, from a pool that every test of that template shares. See
//! [`Postgres`] for what the attribute can say.

mod admin;
mod dialect;
mod explain;
mod external;
mod grant;
mod inject;
mod locate;
mod recipe;
mod recycle;
mod slices;
mod statements;
mod steps;
mod transaction;
mod url;

use std::future::Future;
use std::time::Duration;

use itest_runtime::provider::{Endpoint, Recipe};
use itest_runtime::service::asked::{check_env, check_settings, check_version};
use itest_runtime::service::{Outcome, Placement, Service, Stage, Steps, TemplateId, TestContext, Used};
use itest_runtime::{Error, Lease, Result};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::migrate::Migrator;

pub use grant::PgGrant;
pub use slices::{PgSlice, PgSlices};
use steps::EmbeddedMigrator;
pub use transaction::PgSession;

/// Which code this is: a supervisor serves no test of another.
const CODE: &str = itest_macros::code!();

/// A PostgreSQL database: `#[integration(postgres)]`.
///
/// Gives tests `sqlx::PgPool`, `sqlx::PgConnection`, `sqlx::Transaction<'static, sqlx::Postgres>`,
/// `sqlx::postgres::PgConnectOptions` and [`Url<Postgres>`](itest_runtime::Url).
pub fn postgres() -> Postgres {
    Postgres {
        placement: Placement::default(),
        version: None,
        settings: Vec::new(),
        image: None,
        env: Vec::new(),
        isolation: Isolation::Database,
        steps: Steps::none(),
    }
}

/// What a test asks of PostgreSQL. In the attribute, `key = value` is `.key(value)`, and a bare word is `.word()`.
///
/// ```
/// use itest::service::postgres;
///
/// // #[integration(postgres(version = "15", migrations = "./migrations", fixtures("users", "orders"), transaction))]
/// let asked = postgres().version("15").migrations("./migrations").fixtures(["users", "orders"]).transaction();
/// ```
#[derive(Debug, Clone)]
pub struct Postgres {
    placement: Placement,
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
    env: Vec<String>,
    isolation: Isolation,
    steps: Steps<PgPool, EmbeddedMigrator>,
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

impl Postgres {
    /// The server's version: `"16"`, or `"16.3"` for that very one. Without it, the first in `PATH`, else the newest there is.
    /// An external server of another version is an error.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Server settings such as `"work_mem=64MB"`, as lines of `postgresql.conf`. Tests with other settings get another server.
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

    /// A function of your own that fills the template: `async fn(PgPool) -> Result<(), E>`. It runs once for all tests that
    /// start from the template; a rebuilt test binary rebuilds the template.
    ///
    /// ```
    /// use itest::service::postgres;
    /// use sqlx::PgPool;
    ///
    /// async fn one_user(db: PgPool) -> sqlx::Result<()> {
    ///     sqlx::query("INSERT INTO users (name) VALUES ('Ada')").execute(&db).await?;
    ///     Ok(())
    /// }
    ///
    /// // #[integration(postgres(migrations = "./migrations", setup = one_user))]
    /// let asked = postgres().migrations("./migrations").setup(one_user);
    /// ```
    pub fn setup<F, R, O>(mut self, function: F) -> Self
    where
        F: Fn(PgPool) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        self.steps.setup(function, steps::plainly);
        self
    }

    /// A database of the test's own, with any number of connections. The default.
    pub fn database(mut self) -> Self {
        self.isolation = Isolation::Database;
        self
    }

    /// One connection whose transaction is rolled back at the end; the code's own transactions become savepoints. Code that
    /// asks for a second connection gets an error.
    pub fn transaction(mut self) -> Self {
        self.isolation = Isolation::Transaction;
        self
    }

    /// No isolation: all tests of the same template use one database, at the same time, and see what the others do.
    pub fn shared(mut self) -> Self {
        self.isolation = Isolation::Shared;
        self
    }

    /// A server of the test's own, for what no database can contain: roles, `ALTER SYSTEM`, tablespaces, replication. The
    /// test is then a superuser, and so is what fills its template.
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }

    /// The image of its container, which must keep the official image's contract: `"postgis/postgis:17-3.5"`,
    /// `"pgvector/pgvector:pg17"`. Other providers ignore it.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Variables of the server's environment such as `"PGTZ=UTC"`; in a container also those that its image knows. Tests with
    /// other variables get another server. With an external server they are an error.
    pub fn env<S: Into<String>>(mut self, variables: impl IntoIterator<Item = S>) -> Self {
        self.env.extend(variables.into_iter().map(Into::into));
        self
    }
}

itest_runtime::options!(Postgres {
    docker,
    native,
    external
});

/// What shapes the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PgServer {
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
    env: Vec<String>,
}

/// What shapes the slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PgSpec {
    pub(crate) template: Option<TemplateId>,
    /// What that is made upon.
    pub(crate) base: Option<TemplateId>,
    /// Whether what comes upon it are fixture files alone.
    pub(crate) has_files_alone: bool,
    pub(crate) isolation: Isolation,
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for Postgres {
    const NAME: &'static str = "postgres";
    const CODE: &'static str = CODE;
    type ServerSpec = PgServer;
    type SliceSpec = PgSpec;
    type Grant = PgGrant;
    type Slices = PgSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, test: &TestContext) -> Result<(PgServer, PgSpec)> {
        check_env(Self::NAME, &self.env)?;
        check_settings(Self::NAME, &self.settings, recipe::OWN)?;
        check_version("PostgreSQL", self.version.as_deref(), recipe::FIRST)?;
        let server = PgServer {
            version: self.version.clone(),
            settings: self.settings.clone(),
            image: self.image.clone(),
            env: self.env.clone(),
        };
        let slice = PgSpec {
            template: steps::template(&self.steps, test)?,
            base: steps::base(&self.steps, test)?,
            has_files_alone: self.steps.has_files_alone(),
            isolation: self.isolation,
        };
        Ok((server, slice))
    }

    fn recipe(server: &PgServer) -> Recipe {
        Recipe::native(recipe::native(server)).or_docker(recipe::docker(server))
    }

    fn complete(url: &str) -> Result<String> {
        url::complete(url)
    }

    async fn connect(server: &PgServer, endpoint: &Endpoint) -> Result<PgSlices> {
        PgSlices::connect(server, endpoint).await
    }

    fn url(grant: &PgGrant) -> Result<String> {
        grant.url()
    }

    async fn build(&self, test: &TestContext, blank: &PgGrant, stage: Stage) -> Result<()> {
        let pool = blank.pool()?;
        let built = steps::run(self.steps.of(stage), test, &pool, steps::Sessions::Own).await;
        // It waits for every connection to come back, also for one that a setup function gave to a task of its own.
        let _ = itest_runtime::wall::timeout(CLOSES, pool.close()).await;
        built
    }

    async fn finish(lease: &Lease<Self>) -> Result<Used> {
        transaction::finish(lease).await
    }

    fn explain(&self, failure: &str) -> Option<String> {
        explain::explain(self.isolation, &self.settings, failure)
    }

    fn open_command(grant: &PgGrant) -> Option<String> {
        Some(grant.open_command())
    }
}

/// An error of sqlx with what was wanted. What the server says comes without the line of *its* source, which sqlx shows.
pub(crate) fn failed(wanted: &str, error: &sqlx::Error) -> Error {
    match locate::said(error) {
        Some(said) => Error::new(said).context(wanted),
        None => Error::caused(wanted, error),
    }
}
