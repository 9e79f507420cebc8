//! Slices as the supervisor makes, grants and recycles them, on a server of the test's own; and what a recycled one is compared
//! with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use itest::provider::Endpoint;
use itest::service::postgres::{PgSlice, PgSlices, PgSpec};
use itest::service::{LeaseName, Postgres, Recycled, Service, Slices, Stage, Templates, TestContext, Used, postgres};
use itest::spec::FingerprintBuilder;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::process::Command;
use url::Url;

use super::program::{self, Program};

pub(crate) struct Workbench {
    slices: PgSlices,
    spec: PgSpec,
    url: Url,
    superuser: PgConnectOptions,
    pg_dump: PathBuf,
    pristine: Content,
    slice: Option<PgSlice>,
    leases: u64,
    /// How many slices were recycled, and how many had to be made again.
    pub(crate) recycled: u32,
    pub(crate) rebuilt: u32,
}

/// All that is in a database: what `pg_dump` writes, with rows in the order of the alphabet.
type Content = BTreeMap<String, Vec<String>>;

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
            url: url.parse()?,
            superuser: url.parse()?,
            pg_dump,
            pristine: Content::new(),
            slice: None,
            leases: 0,
            recycled: 0,
            rebuilt: 0,
        };
        let options = bench.lease().await?;
        bench.pristine = bench
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
        let clients = program::run(program, &options, &self.superuser).await;
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
        let content = self.content(database).await?;
        for (object, expected) in &self.pristine {
            match content.get(object) {
                Some(found) if found == expected => {}
                found => bail!("{object}\nis, after recycling,\n{found:#?}\nand in the template\n{expected:#?}"),
            }
        }
        if let Some(more) = content.keys().find(|object| !self.pristine.contains_key(*object)) {
            bail!(
                "{more}\nis there after recycling, and not in the template: {:#?}",
                content[more]
            );
        }
        Ok(())
    }

    async fn sessions(&self, database: &str) -> Result<i64> {
        let mut connection = PgConnection::connect_with(&self.superuser).await?;
        let theirs = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename <> current_user";
        let sessions = sqlx::query_scalar(theirs)
            .bind(database)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(sessions)
    }

    async fn is_gone(&self, database: &str) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.superuser).await?;
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

    /// What is in a database, and how the database itself is set.
    async fn content(&self, database: &str) -> Result<Content> {
        let options = self.superuser.clone().database(database);
        let mut connection = options.connect().await?;
        let (owner, properties): (String, String) = sqlx::query_as(
            "SELECT pg_get_userbyid(datdba)::text, ROW(datconnlimit, datistemplate, datallowconn, datacl IS NULL,
               (SELECT array_agg(s.setconfig::text ORDER BY s.setrole) FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid),
               (SELECT count(*) FROM pg_shdescription AS s WHERE s.objoid = d.oid),
               (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
               (SELECT array_agg(ROW(seqrelid::regclass, pg_sequence_last_value(seqrelid::regclass))::text ORDER BY 1)
                  FROM pg_sequence))::text
             FROM pg_database AS d WHERE datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        let mut url = self.url.clone();
        url.set_path(database);
        let output = Command::new(&self.pg_dump)
            .args(["--no-password", "--quote-all-identifiers", "--dbname", url.as_str()])
            .stdin(Stdio::null())
            .output();
        let output = tokio::time::timeout(Duration::from_secs(30), output)
            .await
            .context("pg_dump hangs")??;
        if !output.status.success() {
            bail!("pg_dump failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        // Each database has an owner of its own, whose name each lease changes.
        let dump = String::from_utf8_lossy(&output.stdout).replace(&format!("\"{owner}\""), "the owner");
        let mut content = objects(&dump.replace(&format!("Owner: {owner}"), "Owner: the owner"));
        content.insert("the database itself".to_owned(), vec![properties]);
        Ok(content)
    }
}

/// A dump, by its objects: `pg_dump` begins each with a comment. What follows a `COPY` is rows.
fn objects(dump: &str) -> Content {
    let mut content = Content::new();
    let mut object = String::new();
    for line in dump
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
    {
        if let Some(name) = line.strip_prefix("-- Name: ") {
            name.clone_into(&mut object);
        }
        content.entry(object.clone()).or_default().push(line.to_owned());
    }
    for lines in content.values_mut() {
        lines.sort_unstable();
    }
    content
}

/// The newest `pg_dump` there is, or the one that `RECYCLING_PG_DUMP` names: a server newer than its `pg_dump` can't be proved.
pub(crate) fn pg_dump() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RECYCLING_PG_DUMP") {
        return Some(named.into());
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            let path = version.path().join("bin/pg_dump");
            path.is_file().then_some((number, path))
        })
        .collect();
    found.sort();
    let in_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("pg_dump"))
            .collect::<Vec<_>>()
    });
    found
        .pop()
        .map(|(_, path)| path)
        .or_else(|| in_path.into_iter().find(|path| Path::is_file(path)))
}
