//! Fixture files on a base, in the three ways in which a test may come to them: run on a slice of the base; in a template upon the
//! base; in a template that was built from nothing.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use itest::provider::Endpoint;
use itest::service::postgres::{PgSlice, PgSlices, PgSpec};
use itest::service::{LeaseName, Postgres, Recycled, Service, Slices, Stage, Templates, TestContext, Used, postgres};
use itest::spec::FingerprintBuilder;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::content::{Content, Looker, compare};
use super::program::Layers;

pub(crate) struct LayerBench {
    slices: PgSlices,
    looker: Looker,
    dir: TempDir,
    context: TestContext,
    base: PgSpec,
    pristine: Content,
    leases: u64,
    /// How many lists of files came to an end.
    pub(crate) ran: u32,
    /// How many failed, in each of the ways.
    pub(crate) failed: u32,
    /// How many slices of the base were recycled, and how many had to be made again.
    pub(crate) recycled: u32,
    pub(crate) rebuilt: u32,
}

impl LayerBench {
    /// `url` is a superuser's.
    pub(crate) async fn new(url: &str, pg_dump: PathBuf) -> Result<Self> {
        let dir = TempDir::new()?;
        fs::create_dir(dir.path().join("migrations"))?;
        fs::write(dir.path().join("migrations/1_all.sql"), include_str!("template.sql"))?;
        let binary = FingerprintBuilder::new("layers").finish();
        let context = TestContext::new("layers", dir.path(), dir.path().join("layers.rs"), binary);
        let service = postgres().migrations("./migrations");
        let (server, base) = service.specs(&context)?;
        let slices = Postgres::connect(&server, &Endpoint::external(url, "0badcafe")?).await?;
        let draft = slices.begin_template(&base).await?;
        service.build(&context, &draft, Stage::Whole).await?;
        slices.seal_template(&base).await?;
        let mut bench = Self {
            slices,
            looker: Looker::new(url, pg_dump)?,
            dir,
            context,
            base,
            pristine: Content::new(),
            leases: 0,
            ran: 0,
            failed: 0,
            recycled: 0,
            rebuilt: 0,
        };
        let base = bench.base.clone();
        let (slice, database) = bench.slice(&base).await?;
        bench.pristine = bench.content(&database).await?;
        bench.slices.destroy(slice).await;
        if !bench.pristine.keys().any(|object| object.contains("plain")) {
            bail!("pg_dump told nothing of the base");
        }
        Ok(bench)
    }

    /// Runs the files in all of the ways: either each fails, or each leads to the same content.
    pub(crate) async fn check(&mut self, layers: &Layers) -> Result<()> {
        let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.sql")).collect();
        for (name, sql) in names.iter().zip(layers) {
            fs::write(self.dir.path().join(name), sql)?;
        }
        let service = postgres().migrations("./migrations").fixtures(&names);
        let (_, spec) = service.specs(&self.context)?;
        let base = self.slices.base_template(&spec).context("there is a base")?;
        if !base.may_replay {
            bail!("files may be run for each test");
        }
        let replayed = self.replayed(&service, &base.spec).await.context("run for a test");
        let upon = self
            .built(&service, &spec, Stage::Layers)
            .await
            .context("upon the base");
        let whole = self
            .built(&service, &from_nothing(&spec)?, Stage::Whole)
            .await
            .context("from nothing");
        match (replayed?, upon?, whole?) {
            (Ok(replayed), Ok(upon), Ok(whole)) => {
                self.ran += 1;
                compare(
                    &upon,
                    (&whole, "a template from nothing"),
                    "in a template upon the base",
                )?;
                compare(
                    &replayed,
                    (&whole, "a template from nothing"),
                    "where the files were run for a test",
                )
            }
            (Err(_), Err(_), Err(_)) => {
                self.failed += 1;
                Ok(())
            }
            (replayed, upon, whole) => {
                let told =
                    |way: itest::Result<Content>| way.map_or_else(|error| error.render(), |_| "all is well".to_owned());
                bail!(
                    "where the files are run for a test: {}\nin a template upon the base: {}\nin one from nothing: {}",
                    told(replayed),
                    told(upon),
                    told(whole)
                )
            }
        }
    }

    /// What a test finds for which the files are run; afterwards its slice must be the base's again.
    async fn replayed(&mut self, service: &Postgres, base: &PgSpec) -> Result<itest::Result<Content>> {
        let mut slice = self.slices.make(base).await?;
        self.leases += 1;
        let name = LeaseName::new("layers", format!("0badcafe-{}", self.leases));
        let grant = self.slices.grant(&mut slice, base, &name).await?;
        let database = database_of(&Postgres::url(&grant)?)?;
        let ran = service.build(&self.context, &grant, Stage::Replay).await;
        let found = match ran {
            Ok(()) => Ok(self.content(&database).await?),
            Err(error) => Err(error),
        };
        match self.slices.recycle(&mut slice, Used::Unknown).await {
            Ok(Recycled::Ready) => {
                self.recycled += 1;
                let content = self.content(&database).await?;
                compare(&content, (&self.pristine, "the base"), "after recycling")?;
            }
            Ok(Recycled::Gone) => self.rebuilt += 1,
            Err(error) => bail!("a slice could not be recycled: {}", error.render()),
        }
        self.slices.destroy(slice).await;
        Ok(found)
    }

    /// What a test finds in a slice of a template that the files were run for.
    async fn built(&mut self, service: &Postgres, spec: &PgSpec, stage: Stage) -> Result<itest::Result<Content>> {
        let draft = self.slices.begin_template(spec).await?;
        let sealed = match service.build(&self.context, &draft, stage).await {
            Ok(()) => self.slices.seal_template(spec).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sealed {
            self.slices.abandon_template(spec).await;
            return Ok(Err(error));
        }
        let (slice, database) = self.slice(spec).await?;
        let content = self.content(&database).await;
        self.slices.destroy(slice).await;
        let template = self.slices.pool(spec)?.template.context("it has one")?;
        self.slices.drop_template(&template.fingerprint).await;
        Ok(Ok(content?))
    }

    /// A leased slice, and the name of its database.
    async fn slice(&mut self, spec: &PgSpec) -> Result<(PgSlice, String)> {
        let mut slice = self.slices.make(spec).await?;
        self.leases += 1;
        let name = LeaseName::new("layers", format!("0badcafe-{}", self.leases));
        let grant = self.slices.grant(&mut slice, spec, &name).await?;
        let database = database_of(&Postgres::url(&grant)?)?;
        Ok((slice, database))
    }

    /// What is in a database, but for what differs each time: the hour, and random UUIDs.
    async fn content(&self, database: &str) -> Result<Content> {
        let mut content = self.looker.content(database).await?;
        for lines in content.values_mut() {
            // When sqlx ran the migrations, and how long that took.
            lines.retain(|line| !line.starts_with("1\tall\t"));
            for line in &mut *lines {
                *line = timeless(line);
            }
            lines.sort_unstable();
        }
        Ok(content)
    }
}

/// The spec of a template that is made upon nothing.
fn from_nothing(spec: &PgSpec) -> Result<PgSpec> {
    let mut spec = serde_json::to_value(spec)?;
    spec["base"] = serde_json::Value::Null;
    Ok(serde_json::from_value(spec)?)
}

fn database_of(url: &str) -> Result<String> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.get_database().context("a lease is of one database")?.to_owned())
}

/// A line without its points in time of this century's and its random UUIDs.
fn timeless(line: &str) -> String {
    let masked = line.split('\t').map(|field| {
        let is_now = field.starts_with("202") && field.as_bytes().get(10) == Some(&b' ');
        let is_uuid = field.len() == 36 && field.matches('-').count() == 4;
        match (is_now, is_uuid) {
            (true, _) => "now",
            (_, true) => "a uuid",
            (false, false) => field,
        }
    });
    masked.collect::<Vec<_>>().join("\t")
}
