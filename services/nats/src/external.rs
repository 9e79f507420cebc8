//! Somebody else's server, which other machines may use at the same time.
//!
//! It has to be in operator mode, as that is what accounts are made by: the URL names a file with the operator's key, and one
//! with the credentials of a user of the system account. Our accounts bear our name, and the connection that a supervisor
//! has to the system account does, too: where it isn't there any more, what the supervisor made may go.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use itest_runtime::service::{Sweepable, is_owner};
use itest_runtime::{Context, Error, Result};
use url::Url;

use super::key::{Key, Kind};
use super::system::System;

const HINT: &str = "ITEST_NATS_URL is `nats://HOST:PORT?operator=FILE&system=FILE`: the operator's key (its seed, `SO…`), and the \
                    credentials of a user of the system account, in files by their whole paths";

/// What the URL of somebody else's server says.
pub(super) struct Outside {
    /// Without the files.
    pub(super) server: String,
    pub(super) operator: Key,
    pub(super) credentials: String,
}

impl Outside {
    pub(super) fn read(url: &str) -> Result<Self> {
        let (server, operator, system) = parts(url)?;
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| {
                Error::new(format!("failed to read {path}: {error}"))
                    .hint(HINT)
                    .permanent()
            })
        };
        let seed = read(&operator)?;
        // nsc writes the seed alone; nk a comment beside it.
        let seed = seed.split_whitespace().find(|word| word.starts_with("SO"));
        let key = seed.ok_or_else(|| Error::new("there is no operator's key in it"));
        let key = key.and_then(|seed| Key::read(Kind::Operator, seed));
        Ok(Self {
            server,
            operator: key.map_err(|error| error.context(operator).hint(HINT).permanent())?,
            credentials: read(&system)?,
        })
    }
}

/// Whether it is a URL that says all that has to be known.
pub(super) fn check(url: &str) -> Result<()> {
    parts(url).map(drop)
}

/// The server's own URL, and the two files.
fn parts(url: &str) -> Result<(String, String, String)> {
    let wrong = |what: String| Error::new(what).hint(HINT).permanent();
    let mut parsed = Url::parse(url).context(|| "ITEST_NATS_URL is not a URL")?;
    if !["nats", "tls"].contains(&parsed.scheme()) {
        return Err(wrong(format!("ITEST_NATS_URL begins with `{}:`", parsed.scheme())));
    }
    let file = |name: &str| {
        let found = parsed.query_pairs().find(|(key, _)| key == name);
        let (_, path) = found.ok_or_else(|| wrong(format!("ITEST_NATS_URL doesn't say `{name}=FILE`")))?;
        if !Path::new(&*path).is_absolute() {
            return Err(wrong(format!(
                "ITEST_NATS_URL says `{name}={path}`, which is no whole path"
            )));
        }
        Ok(path.into_owned())
    };
    let (operator, system) = (file("operator")?, file("system")?);
    parsed.set_query(None);
    Ok((parsed.to_string(), operator, system))
}

/// The name of an account: who made it, and which one it is.
pub(super) fn name(owner: &str, number: u64) -> String {
    format!("itest-{owner}-{number}")
}

fn owner_of(name: &str) -> Option<&str> {
    let (owner, number) = name.strip_prefix("itest-")?.split_once('-')?;
    (is_owner(owner) && number.parse::<u64>().is_ok()).then_some(owner)
}

/// The name of a supervisor's connection to the system account.
pub(super) fn sign_of_life(owner: &str) -> String {
    format!("itest:{owner}")
}

/// Accounts of supervisors; they live as long as their connections to the system account do.
impl Sweepable for System {
    async fn owners(&self) -> Result<BTreeSet<String>> {
        let accounts = self.accounts().await?;
        let owners = accounts.iter().filter_map(|(_, name)| owner_of(name));
        Ok(owners.map(str::to_owned).collect())
    }

    async fn living(&self) -> Result<BTreeSet<String>> {
        let connections = self.connections().await?;
        let owners = connections.iter().filter_map(|name| name.strip_prefix("itest:"));
        Ok(owners.map(str::to_owned).collect())
    }

    async fn remove(&self, owner: &str) {
        let accounts = self.accounts().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to look for what is to be removed from an external server");
            Vec::new()
        });
        for (account, name) in accounts.iter().filter(|(_, name)| owner_of(name) == Some(owner)) {
            if let Err(error) = self.remove_account(account, name).await {
                tracing::warn!(%error, account = name, "an account stays on an external server");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_two_files() {
        let (server, operator, system) =
            parts("nats://host:4222?operator=/o.nk&system=/with%20blank.creds").expect("whole");
        assert_eq!(server, "nats://host:4222");
        assert_eq!((operator.as_str(), system.as_str()), ("/o.nk", "/with blank.creds"));
        for (url, part) in [
            ("nats://host:4222", "`operator=FILE`"),
            ("nats://host:4222?operator=/o.nk", "`system=FILE`"),
            ("nats://host:4222?operator=o.nk&system=/s", "no whole path"),
            ("redis://host", "`redis:`"),
        ] {
            let error = parts(url).expect_err(url);
            assert!(
                error.to_string().contains(part) && error.is_permanent(),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn an_account_tells_its_owner() {
        assert_eq!(owner_of(&name("0badcafe", 17)), Some("0badcafe"));
        for other in [
            "SYS",
            "itest-0badcafe",
            "itest-0badcafe-x",
            "itest-wxyz0123-1",
            "0badcafe-1",
        ] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
