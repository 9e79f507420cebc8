//! Servers that someone else runs, and URLs that lead nowhere.

use crate::fault::PASSWORD;
use crate::own::Own;

fn postgres(url: &str) -> crate::fault::Said {
    let own = Own::new();
    let url = url.replace("PASSWORD", PASSWORD);
    own.fault("wants_postgres")
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", url)
        .with("ITEST_START_TIMEOUT", "300ms")
        .fails()
}

#[test]
fn nobody_listens() {
    postgres("postgres://me:PASSWORD@127.0.0.1:1/db?password=PASSWORD").says(&[
        "the postgres server at postgres://me:***@127.0.0.1:1/db can't be used",
        "Connection refused",
        "hint: is it running, and is ITEST_POSTGRES_URL right?",
    ]);
}

#[test]
fn no_host_has_this_name() {
    postgres("postgres://me:PASSWORD@no-such-host.invalid/db").says(&["no-such-host.invalid", "ITEST_POSTGRES_URL"]);
}

#[test]
fn another_kind_of_server() {
    postgres("http://me:PASSWORD@127.0.0.1:1/db").says(&[
        "ITEST_POSTGRES_URL doesn't begin with `postgres://`",
        "http://me:***@127.0.0.1:1/db",
    ]);
}

#[test]
fn what_is_no_url_is_not_repeated() {
    for text in ["me:PASSWORD", "PASSWORD", "//PASSWORD@host/db"] {
        postgres(text).says(&[
            "the value of ITEST_POSTGRES_URL is not a URL of a server",
            "allowed is a URL such as",
        ]);
    }
}

#[test]
fn no_redis_listens() {
    let own = Own::new();
    let url = format!("redis://me:{PASSWORD}@127.0.0.1:1/0");
    let said = own
        .fault("wants_redis")
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_REDIS_URL", url)
        .with("ITEST_START_TIMEOUT", "300ms")
        .fails();
    said.says(&[
        "the redis server at redis://me:***@127.0.0.1:1/0 can't be used",
        "ITEST_REDIS_URL",
    ]);
}

#[test]
fn a_redis_with_tls_needs_the_feature() {
    let own = Own::new();
    let url = format!("rediss://me:{PASSWORD}@127.0.0.1:1/0");
    let said = own
        .fault("wants_redis")
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_REDIS_URL", url)
        .fails();
    said.says(&["rediss://me:***@127.0.0.1:1/0", "tokio-rustls-comp"]);
}

#[test]
fn no_url_is_set() {
    let own = Own::new();
    let said = own
        .fault("wants_redis")
        .with("ITEST_REDIS_PROVIDER", "external")
        .without("ITEST_REDIS_URL")
        .fails();
    said.says(&[
        "no URL is set for it",
        "hint: set ITEST_REDIS_URL, or `url` under [redis] in itest.toml",
    ]);
}

#[test]
fn a_dedicated_server_is_nobody_elses() {
    let own = Own::new();
    let url = format!("postgres://me:{PASSWORD}@127.0.0.1:1/db");
    own.fault("wants_a_dedicated_server")
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", url)
        .fails()
        .says(&[
            "`postgres(dedicated)` needs a server of its own, but the provider is external",
            "hint: write `postgres(dedicated, docker)` or `postgres(dedicated, native)` for this test, or unset ITEST_POSTGRES_URL",
        ]);
}
