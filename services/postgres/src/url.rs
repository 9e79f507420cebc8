//! The URL of somebody else's server, and what a test's own environment adds to it.

use std::borrow::Cow;
use std::str::FromStr;

use itest_runtime::{Context, Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use url::Url;

/// What says who logs in where: it goes in front of the `?`, where every client looks, and where a lease puts its own.
const PLACE: &[&str] = &["host", "hostaddr", "port", "user", "password", "dbname"];
/// What a URL may call a setting, in libpq's word first, and the variable that is read where it doesn't.
const CERTIFICATES: &[(&[&str], &str)] = &[
    (&["sslrootcert", "ssl-root-cert", "ssl-ca"], "PGSSLROOTCERT"),
    (&["sslcert", "ssl-cert"], "PGSSLCERT"),
    (&["sslkey", "ssl-key"], "PGSSLKEY"),
];
const MODE: &[&str] = &["sslmode", "ssl-mode"];

/// The same URL with what PostgreSQL's clients would take from `PGUSER`, `PGPASSWORD`, `PGPASSFILE` and their kin, so that it
/// means the same to the supervisor, whose environment is another one.
pub(super) fn complete(url: &str) -> Result<String> {
    let wrong = || "ITEST_POSTGRES_URL is not a URL";
    let mut whole = Url::parse(url).context(wrong)?;
    let mut options = self::options(url)?;
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    if options.get_database().is_none() {
        // By default it has the user's name. The file of passwords goes by it, too.
        whole.set_path(&encode(options.get_username()));
        options = self::options(whole.as_str())?;
    }
    let pairs: Vec<(String, String)> = whole.query_pairs().into_owned().collect();
    whole.set_query(None);

    let socket = options.get_socket().and_then(|socket| socket.to_str());
    let host = match socket.unwrap_or(options.get_host()) {
        socket if socket.starts_with('/') => encode(socket),
        address if address.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{address}]"),
        name => name.to_owned(),
    };
    whole.set_host(Some(&host)).context(wrong)?;
    let shown = shown(&options);
    whole.set_path(&encode(options.get_database().unwrap_or_default()));
    // The setter leaves a `%` as it is.
    let user = encode(options.get_username());
    whole
        .set_port(Some(options.get_port()))
        .and_then(|()| whole.set_username(&user))
        .and_then(|()| whole.set_password(shown.password()))
        .map_err(|()| Error::new("ITEST_POSTGRES_URL has no host"))?;

    let mut all: Vec<_> = pairs.iter().filter(|(key, _)| !is_settled(key)).cloned().collect();
    let mode = |(key, value): &(Cow<'_, str>, Cow<'_, str>)| key == MODE[0] && value != "prefer";
    all.extend(
        shown
            .query_pairs()
            .find(mode)
            .map(|(_, mode)| (MODE[0].to_owned(), mode.into_owned())),
    );
    for (names, variable) in CERTIFICATES {
        let said = pairs.iter().rfind(|(key, _)| names.contains(&key.as_str()));
        let said = said
            .map(|(_, value)| value.clone())
            .or_else(|| std::env::var(variable).ok());
        all.extend(said.map(|certificate| (names[0].to_owned(), from_everywhere(certificate))));
    }
    if !all.is_empty() {
        whole.query_pairs_mut().extend_pairs(all);
    }
    Ok(whole.to_string())
}

/// What sqlx makes of a URL.
pub(super) fn options(url: &str) -> Result<PgConnectOptions> {
    // sqlx takes any scheme, and would speak to a web server.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(Error::new("ITEST_POSTGRES_URL doesn't begin with `postgres://`"));
    }
    PgConnectOptions::from_str(url).context(|| "ITEST_POSTGRES_URL is not a PostgreSQL URL")
}

/// User, password and database of a URL that is complete.
pub(super) fn login(url: &str) -> Result<(String, String, String)> {
    let url = Url::parse(url).context(|| "ITEST_POSTGRES_URL is not a URL")?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok((
        decode(url.username()),
        decode(url.password().unwrap_or_default()),
        decode(url.path().trim_start_matches('/')),
    ))
}

/// sqlx tells its password and its certificates only in a URL, which it makes of plain parts without a fault.
fn shown(options: &PgConnectOptions) -> Url {
    options
        .clone()
        .host("host")
        .username("user")
        .database("database")
        .to_url_lossy()
}

/// The supervisor's working folder is another one. sqlx takes PEM text as well as a file.
fn from_everywhere(certificate: String) -> String {
    match std::path::absolute(&certificate) {
        Ok(path) if !certificate.trim_start().starts_with("-----BEGIN") => path.to_string_lossy().into_owned(),
        _ => certificate,
    }
}

fn is_settled(key: &str) -> bool {
    PLACE.contains(&key) || MODE.contains(&key) || CERTIFICATES.iter().any(|(names, _)| names.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The variables themselves: tests/external.rs.
    #[test]
    fn what_stands_behind_the_question_mark_goes_where_a_lease_puts_its_own() {
        for (given, whole) in [
            ("postgres://u:p@h:5/d", "postgres://u:p@h:5/d"),
            ("postgresql://u:p@h/d", "postgresql://u:p@h:5432/d"),
            (
                "postgres:///?host=/run/pg&user=u&password=p%26q&dbname=d&port=7",
                "postgres://u:p%26q@%2Frun%2Fpg:7/d",
            ),
            (
                "postgres://%2Frun%2Fpg/d?user=u@company&password=p",
                "postgres://u%40company:p@%2Frun%2Fpg:5432/d",
            ),
            ("postgres://u:p@[::1]/d", "postgres://u:p@[::1]:5432/d"),
            ("postgres://u:p@h/d?hostaddr=::1", "postgres://u:p@[::1]:5432/d"),
            ("postgres://u%2Fv:p@h/my%20d", "postgres://u%2Fv:p@h:5432/my%20d"),
            ("postgres://u:p@h", "postgres://u:p@h:5432/u"),
            (
                "postgres://u:p@h/d?ssl-mode=require&options=-c%20a%3Db&ssl-ca=/ca.pem",
                "postgres://u:p@h:5432/d?options=-c+a%3Db&sslmode=require&sslrootcert=%2Fca.pem",
            ),
        ] {
            let made = complete(given).expect("a URL");
            assert_eq!(made, whole, "of {given}");
            assert_eq!(complete(&made).expect("a URL"), made, "it stays so");
            options(&made).expect("sqlx reads it");
        }
    }

    #[test]
    fn a_certificates_file_is_found_from_everywhere() {
        let made = complete("postgres://u:p@h/d?sslmode=verify-ca&sslrootcert=ca.pem").expect("a URL");
        let here = std::env::current_dir().expect("it is there").join("ca.pem");
        let mut pairs = Url::parse(&made)
            .expect("a URL")
            .query_pairs()
            .into_owned()
            .collect::<Vec<_>>();
        assert_eq!(pairs.pop().map(|(_, value)| value.into()), Some(here));
        let inline = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----";
        assert_eq!(from_everywhere(inline.to_owned()), inline);
    }
}
