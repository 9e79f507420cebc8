//! All other tests once more, on servers that somebody else runs: those of one test that has them to itself.

use itest::service::{Postgres, Redis};
use itest::{Url, integration};

// Not among the others: it runs them all.
#[integration(
    postgres(dedicated, native, settings("max_connections=300")),
    redis(dedicated, native)
)]
#[ignore = "`cargo xtask test` runs it"]
fn the_suite_passes_on_external_servers(postgres: Url<Postgres>, redis: Url<Redis>) {
    let mut suite = fleet_driver::cargo();
    suite
        .args(["nextest", "run", "--workspace", "--profile", "external"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("ITEST_PROVIDER", "external")
        .env("ITEST_POSTGRES_URL", postgres.as_str())
        .env("ITEST_REDIS_URL", redis.as_str())
        // It has no test that could run elsewhere.
        .env("ITEST_MEMCACHED_PROVIDER", "native");
    let status = suite.status().expect("cargo runs");
    assert!(status.success(), "{status}");
}
