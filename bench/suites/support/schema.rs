//! The schema that tests have.

/// The folder of migrations: 40 tables without a row, unless the bench says otherwise.
#[allow(dead_code, reason = "not every suite migrates")]
pub(crate) fn schema() -> String {
    std::env::var("BENCH_SCHEMA").unwrap_or_else(|_| "./migrations".to_owned())
}
