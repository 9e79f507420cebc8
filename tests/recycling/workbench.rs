//! Slices as the supervisor makes, grants and recycles them, on a server of the test's own; and what a recycled one is compared
//! with.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use itest::provider::Endpoint;
use itest::service::postgres::{PgSlice, PgSlices, PgSpec};
use itest::service::{LeaseName, Postgres, Recycled, Service, Slices, Stage, Templates, TestContext, Used, postgres};
use itest::spec::FingerprintBuilder;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use super::content::{Content, Looker, compare};
use super::program::{self, Program};

pub(crate) struct Workbench {
    slices: PgSlices,
    spec: PgSpec,
    looker: Looker,
    pristine: Content,
    slice: Option<PgSlice>,
    leases: u64,
    /// How many slices were recycled, and how many had to be made again.
    pub(crate) recycled: u32,
    pub(crate) rebuilt: u32,
}

async fn fill(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql(include_str!("template.sql")).execute(&db).await.map(drop)
}

impl Workbench {
    /// `url` is a superuser's.
    pub(crate) async fn new(url: &str, pg_dump: PathBuf) -> Result<Self> {
        let binary = FingerprintBuilder::new("recycling").finish();
        let context = TestContext::new("recycling", env!("CARGO_MANIFEST_DIR"), file!(), binary);
        let service = postgres().setup(fill);
        let (server, spec) = service.specs(&context)?;
        let slices = Postgres::connect(&server, &Endpoint::external(url, "0badcafe")?).await?;
        let draft = slices.begin_template(&spec).await?;
        service.build(&context, &draft, Stage::Whole).await?;
        slices.seal_template(&spec).await?;
        let mut bench = Self {
            slices,
            spec,
            looker: Looker::new(url, pg_dump)?,
            pristine: Content::new(),
            slice: None,
            leases: 0,
            recycled: 0,
            rebuilt: 0,
        };
        let options = bench.lease().await?;
        bench.pristine = bench
            .looker
            .content(options.get_database().context("a lease is of one database")?)
            .await?;
        if !bench.pristine.keys().any(|object| object.contains("plain")) {
            bail!("pg_dump told nothing of the template");
        }
        Ok(bench)
    }

    /// A lease of the slice that the last one used, or of a new one.
    async fn lease(&mut self) -> Result<PgConnectOptions> {
        if self.slice.is_none() {
            self.slice = Some(self.slices.make(&self.spec).await?);
        }
        let slice = self.slice.as_mut().context("it was put there")?;
        self.leases += 1;
        let name = LeaseName::new("a random program", format!("0badcafe-{}", self.leases));
        let grant = self.slices.grant(slice, &self.spec, &name).await?;
        Ok(Postgres::url(&grant)?.parse()?)
    }

    /// Runs a program on a lease, ends the lease, and compares what is there then with the template.
    pub(crate) async fn check(&mut self, program: &Program) -> Result<()> {
        let options = self.lease().await?;
        let database = options.get_database().context("a lease is of one database")?.to_owned();
        let clients = program::run(program, &options, &self.looker.superuser).await;
        let mut slice = self.slice.take().context("it was leased")?;
        let recycled = self.slices.recycle(&mut slice, Used::Unknown).await;
        let sessions = self.sessions(&database).await?;
        drop(clients);
        if sessions > 0 {
            bail!("{sessions} sessions of the last lease are still there");
        }
        match recycled {
            Ok(Recycled::Ready) => self.recycled += 1,
            Ok(Recycled::Gone) => {
                self.rebuilt += 1;
                self.slices.destroy(slice).await;
                return self.is_gone(&database).await;
            }
            Err(error) => bail!("a slice could not be recycled: {}", error.render()),
        }
        self.slice = Some(slice);
        let compared = self.compare(&database, &options).await;
        if compared.is_err()
            && let Some(slice) = self.slice.take()
        {
            self.slices.destroy(slice).await;
        }
        compared
    }

    async fn compare(&mut self, database: &str, old: &PgConnectOptions) -> Result<()> {
        if PgConnection::connect_with(old).await.is_ok() {
            bail!("a client of the last lease gets in");
        }
        let content = self.looker.content(database).await?;
        compare(&content, (&self.pristine, "the template"), "after recycling")
    }

    async fn sessions(&self, database: &str) -> Result<i64> {
        let mut connection = PgConnection::connect_with(&self.looker.superuser).await?;
        let theirs = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename <> current_user";
        let sessions = sqlx::query_scalar(theirs)
            .bind(database)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(sessions)
    }

    async fn is_gone(&self, database: &str) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.looker.superuser).await?;
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) + (SELECT count(*) FROM pg_prepared_xacts)",
        )
        .bind(database)
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        if left > 0 {
            bail!("a database that can't be recycled isn't gone");
        }
        Ok(())
    }
}
