//! What a test needs to know to use its database.

use std::fmt;
use std::path::PathBuf;

use itest_runtime::provider::authority;
use itest_runtime::service::URL_FILE;
use itest_runtime::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use url::Url;

use super::Isolation;

/// A database, and the right to log in to it.
#[derive(Clone, Serialize, Deserialize)]
pub struct MariaDbGrant {
    pub(super) address: Address,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) isolation: Isolation,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Address {
    /// A process of ours, on its socket and on the loopback interface.
    Native { socket: PathBuf, port: u16 },
    /// A container of ours.
    Docker { host: String, port: u16 },
    /// Somebody else's.
    External { url: String },
}

/// Never shows a password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native { socket, .. } => write!(f, "{}", socket.display()),
            Self::Docker { host, port } => write!(f, "{host}:{port}"),
            Self::External { .. } => f.write_str("external"),
        }
    }
}

/// Never shows a password.
impl fmt::Debug for MariaDbGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MariaDbGrant")
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Whether that is a URL of a server's, with a user.
pub(super) fn check_url(url: &str) -> Result<()> {
    let hint = "write `mysql://user:password@host:3306`";
    let parsed = Url::parse(url).context(|| "ITEST_MARIADB_URL is not a URL");
    let parsed = parsed.map_err(|error| error.hint(hint).permanent())?;
    if !["mysql", "mariadb"].contains(&parsed.scheme()) || parsed.username().is_empty() {
        return Err(
            Error::new("ITEST_MARIADB_URL is no URL of a MariaDB server with a user in it")
                .hint(hint)
                .permanent(),
        );
    }
    Ok(())
}

impl Address {
    /// Options for the given user.
    pub(super) fn options(&self, user: Option<(&str, &str)>) -> Result<MySqlConnectOptions> {
        let options = match self {
            Self::Native { socket, .. } => MySqlConnectOptions::new()
                .host("localhost")
                .socket(socket)
                .ssl_mode(MySqlSslMode::Disabled),
            Self::Docker { host, port } => MySqlConnectOptions::new()
                .host(host)
                .port(*port)
                .ssl_mode(MySqlSslMode::Disabled),
            Self::External { url } => {
                let mut server = Url::parse(url).context(|| "ITEST_MARIADB_URL is not a URL")?;
                server.set_path("");
                let options = server.as_str().parse::<MySqlConnectOptions>();
                options.context(|| "ITEST_MARIADB_URL can't be used")?
            }
        };
        Ok(match user {
            Some((user, password)) => options.username(user).password(password),
            None => options,
        })
    }
}

impl MariaDbGrant {
    /// Options for a connection of this lease.
    pub(super) fn options(&self) -> Result<MySqlConnectOptions> {
        let options = self.address.options(Some((&self.user, &self.password)))?;
        Ok(options.database(&self.database))
    }

    /// A pool that connects when it is first used.
    pub(super) fn pool(&self) -> Result<MySqlPool> {
        Ok(MySqlPoolOptions::new().connect_lazy_with(self.options()?))
    }

    /// Only a whole database can be opened from elsewhere.
    pub(super) fn check_open(&self, wanted: &str) -> Result<()> {
        if self.isolation != Isolation::Transaction {
            return Ok(());
        }
        Err(Error::new(format!(
            "{wanted} leads to more connections, and a `transaction` has only one"
        ))
        .hint("write `mariadb` without `transaction`, or take a `MySqlPool` or `&mut MySqlConnection`"))
    }

    pub(super) fn url(&self) -> Result<String> {
        self.check_open("a URL")?;
        let mut url = match &self.address {
            Address::Native { port, .. } => Url::parse(&format!("mysql://127.0.0.1:{port}")),
            Address::Docker { host, port } => Url::parse(&format!("mysql://{}", authority(host, *port))),
            Address::External { url } => Url::parse(url),
        }
        .context(|| "ITEST_MARIADB_URL is not a URL")?;
        url.set_path(&self.database);
        let named = url
            .set_username(&self.user)
            .and_then(|()| url.set_password(Some(&self.password)));
        named.map_err(|()| Error::new("ITEST_MARIADB_URL has no host"))?;
        Ok(url.to_string())
    }

    pub(super) fn open_command(&self) -> String {
        if self.isolation == Isolation::Transaction {
            return "nothing stays of a `transaction`; to look at its data, write `mariadb` without it".to_owned();
        }
        let (user, database) = (&self.user, &self.database);
        let place = match &self.address {
            Address::Native { socket, .. } => format!("--socket '{}'", socket.display()),
            Address::Docker { host, port } => format!("--host '{host}' --port {port}"),
            Address::External { url } => {
                let url = Url::parse(url).ok();
                let host = url.as_ref().and_then(Url::host_str).unwrap_or("localhost");
                format!(
                    "--host '{host}' --port {}",
                    url.as_ref().and_then(Url::port).unwrap_or(3306)
                )
            }
        };
        format!("mariadb {place} --user '{user}' --password {database} # the password is in {URL_FILE}")
    }
}
