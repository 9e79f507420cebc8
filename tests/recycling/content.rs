//! What is in a database: what `pg_dump` writes of it, and how the database itself is set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::process::Command;
use url::Url;

/// All that is in a database, by its objects, with rows in the order of the alphabet.
pub(crate) type Content = BTreeMap<String, Vec<String>>;

/// Whoever looks into the databases of a server, as a superuser.
pub(crate) struct Looker {
    url: Url,
    pub(crate) superuser: PgConnectOptions,
    pg_dump: PathBuf,
}

impl Looker {
    /// `url` is a superuser's.
    pub(crate) fn new(url: &str, pg_dump: PathBuf) -> Result<Self> {
        Ok(Self {
            url: url.parse()?,
            superuser: url.parse()?,
            pg_dump,
        })
    }

    /// What is in a database, and how the database itself is set.
    pub(crate) async fn content(&self, database: &str) -> Result<Content> {
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

/// Fails if there is anything else than expected.
pub(crate) fn compare(found: &Content, (expected, of): (&Content, &str), when: &str) -> Result<()> {
    for (object, expected) in expected {
        match found.get(object) {
            Some(found) if found == expected => {}
            found => bail!("{object}\nis, {when},\n{found:#?}\nand in {of}\n{expected:#?}"),
        }
    }
    match found.keys().find(|object| !expected.contains_key(*object)) {
        Some(more) => bail!("{more}\nis there {when}, and not in {of}: {:#?}", found[more]),
        None => Ok(()),
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
