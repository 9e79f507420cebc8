//! URLs of Redis servers: of hosts (`redis://`, `rediss://`), and of Unix sockets (`redis+unix://`, `unix://`).

use std::path::PathBuf;

use itest_runtime::{Context, Error, Result};
use redis::{ConnectionAddr, IntoConnectionInfo};

use super::RedisGrant;
use url::Url;

/// Whether somebody else's server can be reached by this URL.
pub(super) fn check(url: &str) -> Result<()> {
    let scheme = Url::parse(url).context(wrong)?.scheme().to_owned();
    let Err(error) = url.into_connection_info() else {
        return Ok(());
    };
    let error = Error::caused("ITEST_REDIS_URL is not a Redis URL", &error);
    let with_tls = ConnectionAddr::TcpTls {
        host: String::new(),
        port: 0,
        insecure: false,
        tls_params: None,
    };
    Err(
        if ["rediss", "valkeys"].contains(&scheme.as_str()) && !with_tls.is_supported() {
            error.hint(
                "the `redis` crate speaks TLS with one of its features: `redis = { version = \"1\", features = \
             [\"tokio-rustls-comp\"] }` (or `tokio-native-tls-comp`) beside itest in Cargo.toml",
            )
        } else {
            error.hint(
                "allowed are `redis://user:password@host:6379/0`, `rediss://…` for TLS, and \
             `redis+unix:///path/of/the/socket?db=0&user=user&pass=password`",
            )
        },
    )
}

/// The lease's own: its user and its database instead of those that were there.
pub(super) fn of_lease(grant: &RedisGrant) -> Result<String> {
    let RedisGrant { user, password, .. } = grant;
    let database = grant.database.to_string();
    let mut url = Url::parse(&grant.server).context(wrong)?;
    if socket(&grant.server).is_none() {
        url.set_path(&database);
        url.set_username(user)
            .and_then(|()| url.set_password(Some(password.as_str()).filter(|password| !password.is_empty())))
            .map_err(|()| Error::new("ITEST_REDIS_URL has no host"))?;
        return Ok(url.to_string());
    }
    let own = [("db", &database), ("user", user), ("pass", password)];
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| own.iter().all(|(name, _)| key != name))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .extend_pairs(own.into_iter().filter(|(_, value)| !value.is_empty()));
    Ok(url.to_string())
}

/// The socket that a URL leads to, if it leads to one.
pub(super) fn socket(url: &str) -> Option<PathBuf> {
    match url.into_connection_info().ok()?.addr() {
        ConnectionAddr::Unix(path) => Some(path.clone()),
        _ => None,
    }
}

fn wrong() -> &'static str {
    "ITEST_REDIS_URL is not a URL"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(server: &str, user: &str, password: &str) -> String {
        let grant = RedisGrant {
            server: server.to_owned(),
            socket: None,
            user: user.to_owned(),
            password: password.to_owned(),
            database: 3,
        };
        of_lease(&grant).expect("a URL")
    }

    #[test]
    fn a_lease_puts_its_own_in_the_place_of_what_was_there() {
        assert_eq!(
            of("redis://admin:x@h:1/7?protocol=resp3", "u", "p"),
            "redis://u:p@h:1/3?protocol=resp3"
        );
        assert_eq!(of("redis://:x@h/7", "", "x"), "redis://:x@h/3");
        assert_eq!(
            of(
                "redis+unix:///run/r.sock?db=7&pass=x&user=admin&protocol=resp3",
                "u",
                "p&q"
            ),
            "redis+unix:///run/r.sock?protocol=resp3&db=3&user=u&pass=p%26q"
        );
        assert_eq!(of("unix:///run/r.sock", "", ""), "unix:///run/r.sock?db=3");
    }

    #[test]
    fn what_can_not_be_reached_is_said() {
        check("redis+unix:///run/r.sock").expect("a socket");
        check("redis://h").expect("a host");
        let said = check("rediss://me:secret@h").expect_err("no TLS").render();
        assert!(said.contains("tokio-rustls-comp") && !said.contains("secret"), "{said}");
        let said = check("http://h").expect_err("no Redis").render();
        assert!(said.contains("redis+unix://"), "{said}");
    }
}
