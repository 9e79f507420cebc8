//! What a test needs to know to use its database.

use std::fmt;
use std::path::PathBuf;

use itest_runtime::provider::authority;
use itest_runtime::service::URL_FILE;
use itest_runtime::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Isolation, url};
use ::url::Url;

/// A database, and the right to log in to it.
#[derive(Clone, Serialize, Deserialize)]
pub struct PgGrant {
    pub(super) address: Address,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) isolation: Isolation,
    /// Whether the template's content has to be made within the test's own transaction.
    pub(super) bare: bool,
    /// Whether a rollback has to be seen by the test itself: where the database isn't brought back whatever was committed.
    pub(super) must_see_rollback: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Address {
    /// A server of ours: on its socket anyone whom the file system lets through may log in, without a password.
    Native { sockets: PathBuf, port: u16 },
    /// A server of ours in a container: only who has a password may log in.
    Docker { host: String, port: u16 },
    /// Somebody else's.
    External { url: String },
}

/// Never shows a password.
impl fmt::Debug for PgGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgGrant")
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Address {
    /// Options for the given database and user.
    pub(super) fn options(&self, database: &str, user: Option<(&str, &str)>) -> Result<PgConnectOptions> {
        let options = match self {
            // Nothing of this comes from PG* variables or a password file: those are somebody else's. (sqlx lets nobody clear
            // what it takes from PGOPTIONS.)
            Self::Native { sockets, port } => PgConnectOptions::new_without_pgpass()
                .host("localhost")
                .socket(sockets)
                .port(*port)
                .ssl_mode(sqlx::postgres::PgSslMode::Disable)
                .username("postgres"),
            Self::Docker { host, port } => PgConnectOptions::new_without_pgpass()
                .host(host)
                .port(*port)
                .ssl_mode(sqlx::postgres::PgSslMode::Disable)
                .username("postgres"),
            Self::External { url } => url::options(url)?,
        };
        let options = match self {
            // Where it isn't set, what the database says of it counts.
            Self::Native { .. } | Self::Docker { .. } if std::env::var_os("PGAPPNAME").is_some() => {
                options.application_name("")
            }
            Self::Native { .. } | Self::Docker { .. } | Self::External { .. } => options,
        };
        let options = options.database(database);
        Ok(match user {
            Some((user, password)) => options.username(user).password(password),
            None => options,
        })
    }
}

impl PgGrant {
    /// Options for a connection of this lease.
    pub(super) fn options(&self) -> Result<PgConnectOptions> {
        self.address.options(&self.database, Some((&self.user, &self.password)))
    }

    /// A pool that connects when it is first used.
    pub(super) fn pool(&self) -> Result<PgPool> {
        Ok(PgPoolOptions::new().connect_lazy_with(self.options()?))
    }

    /// Only a whole database can be opened from elsewhere.
    pub(super) fn check_open(&self, wanted: &str) -> Result<()> {
        if self.isolation != Isolation::Transaction {
            return Ok(());
        }
        Err(Error::new(format!(
            "{wanted} leads to more connections, and a `transaction` has only one"
        ))
        .hint("write `postgres` without `transaction`, or take a `PgPool` or `&mut PgConnection`"))
    }

    pub(super) fn url(&self) -> Result<String> {
        self.check_open("a URL")?;
        let mut url = match &self.address {
            Address::Native { port, .. } => Url::parse(&format!("postgres://127.0.0.1:{port}")),
            Address::Docker { host, port } => Url::parse(&format!("postgres://{}", authority(host, *port))),
            Address::External { url } => Url::parse(url),
        }
        .context(|| "ITEST_POSTGRES_URL is not a URL")?;
        url.set_path(&self.database);
        let named = url.set_username(&self.user).and_then(|()| {
            url.set_password(
                Some(&self.password)
                    .filter(|password| !password.is_empty())
                    .map(String::as_str),
            )
        });
        named.map_err(|()| Error::new("ITEST_POSTGRES_URL has no host"))?;
        Ok(url.to_string())
    }

    pub(super) fn open_command(&self) -> String {
        if self.isolation == Isolation::Transaction {
            return "nothing stays of a `transaction`; to look at its data, write `postgres` without it".to_owned();
        }
        match &self.address {
            Address::Native { sockets, port } => {
                format!(
                    "psql -h {} -p {port} -U '{}' {}",
                    sockets.display(),
                    self.user,
                    self.database
                )
            }
            Address::Docker { .. } | Address::External { .. } => format!("psql {URL_FILE}"),
        }
    }
}
