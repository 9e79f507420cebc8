//! Hints for failures that reveal a limit of a slice.
//!
//! All that is known of a failure is its text, which may be an application's own: only what PostgreSQL or sqlx say in just these
//! words counts, and only where the test's isolation and settings can be the cause.

use super::Isolation;
use super::transaction;

/// What only a superuser may do, in the server's words, from version 13 to 18.
const BEYOND: &[&str] = &[
    "permission denied to create role",
    "permission denied to create database",
    "permission denied to create extension",
    "permission denied to create event trigger",
    "permission denied to create foreign-data wrapper",
    "permission denied to create tablespace",
    "permission denied to create publication",
    "permission denied to create subscription",
    "permission denied to alter role",
    "permission denied to alter setting",
    "permission denied to set parameter \"",
    "permission denied to set role \"",
    "permission denied for function pg_",
    "permission denied for function lo_",
    "must be superuser to ",
    "must be a superuser to ",
    "must be member of role \"",
    "must be able to SET ROLE",
    "must be owner of extension",
    "must be owner of event trigger",
    "is a system trigger",
    "must have privileges of the pg_",
];

/// How sqlx says that a transaction of its own kind can't begin within another.
const NESTED: [&str; 2] = [
    "InvalidSavePointStatement",
    "attempted to call begin_with at non-zero transaction depth",
];

pub(super) fn explain(isolation: Isolation, settings: &[String], failure: &str) -> Option<String> {
    // What `unwrap()` shows is `Debug`'s, which escapes quotes.
    let failure = &failure.replace("\\\"", "\"");
    let is_transaction = isolation == Isolation::Transaction;
    let hint = if is_transaction && transaction::wanted_another(failure) {
        "with `transaction` a test has one connection; code that wants a second one while it holds the first waits in vain: give \
         the first back before, or write `postgres` without `transaction`"
    } else if is_transaction && failure.contains("current transaction is aborted, commands ignored") {
        "with `transaction` all of the test is in one transaction, in which nothing works any more after a statement that failed: \
         put that statement into a savepoint (`db.begin()`), or write `postgres` without `transaction`"
    } else if is_transaction && NESTED.iter().any(|text| failure.contains(text)) {
        "with `transaction` the test is within a transaction already, which no `begin_with` can begin once more: write `begin()`, or \
         `postgres` without `transaction`"
    } else if is_about_settings(settings, failure) {
        "the server doesn't take what `postgres(settings(...))` says: write each as `\"name=value\"`, with a name that this \
         version knows"
    } else if BEYOND.iter().any(|text| failure.contains(text)) || lacks_a_role(failure) {
        "roles, settings and other things of the whole server are shared by all tests; for a server of the test's own, where it \
         is a superuser, write `postgres(dedicated)`"
    } else if failure.contains("too many connections for role") {
        "one test has 100 connections at most, and one under `transaction`: close pools that aren't needed any more, or write \
         `postgres(dedicated)` for a server of the test's own"
    } else if failure.contains("remaining connection slots are reserved") {
        "all tests share a server with 300 connections: run fewer tests at a time, or write \
         `postgres(settings(\"max_connections=1000\"))` for all of them"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// Whether the server complains of its configuration, or of a setting that the test asked for.
fn is_about_settings(settings: &[String], failure: &str) -> bool {
    let mut names = settings
        .iter()
        .map(|setting| setting.split('=').next().unwrap_or_default().trim());
    !settings.is_empty() && failure.contains("/postgresql.conf\"")
        || names.any(|name| failure.contains(&format!("parameter \"{name}\"")))
}

/// `role "app" does not exist`
fn lacks_a_role(failure: &str) -> bool {
    failure.split("role \"").skip(1).any(|rest| {
        rest.split_once('"')
            .and_then(|(_, after)| after.strip_prefix(" does not exist"))
            // Whoever goes on is an application.
            .is_some_and(|end| end.is_empty() || end.starts_with(['"', '\n', ',', ')']) || end.starts_with(" at line"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(isolation: Isolation, failure: &str) -> String {
        explain(isolation, &["work_mem = 1".to_owned()], failure).unwrap_or_default()
    }

    #[test]
    fn an_applications_own_words_get_no_hint() {
        for text in [
            "500: configuration file app.toml not found",
            "PoolTimedOut",
            "unrecognized configuration parameter \"app.tenant\"",
            "permission denied for function charge",
            "permission denied to create an invoice",
            "must be superuser of the shop",
            "403: role \"editor\" does not exist in this tenant",
            "the role \"cook\" is played by Ada",
        ] {
            assert_eq!(of(Isolation::Database, text), "", "{text}");
        }
    }

    #[test]
    fn what_only_a_superuser_may_do_leads_to_a_dedicated_server() {
        for text in [
            "must be member of role \"postgres\"",
            "must be able to SET ROLE \"postgres\"",
            "must be owner of extension plpgsql",
            "\"RI_ConstraintTrigger_c_16393\" is a system trigger",
            "permission denied for function pg_stat_reset",
            "role \"app\" does not exist",
            "called `Result::unwrap()` on an `Err` value: Database(PgDatabaseError { message: \"role \\\"app\\\" does not exist\", detail: None })",
            "error returned from database: role \"app\" does not exist at line 5204",
            "permission denied for function lo_import",
        ] {
            assert!(of(Isolation::Database, text).contains("postgres(dedicated)"), "{text}");
        }
    }

    #[test]
    fn a_transactions_limits_are_told_under_transaction_alone() {
        for text in [
            "PoolTimedOut",
            "current transaction is aborted, commands ignored until end of transaction block",
            "InvalidSavePointStatement",
        ] {
            assert!(of(Isolation::Transaction, text).contains("`transaction`"), "{text}");
            assert_eq!(of(Isolation::Database, text), "", "{text}");
        }
    }

    #[test]
    fn another_pools_words_are_not_sqlxs() {
        assert_eq!(of(Isolation::Transaction, "the http pool timed out"), "");
        assert!(
            of(
                Isolation::Transaction,
                "called `Result::unwrap()` on an `Err` value: PoolTimedOut"
            )
            .contains("one connection")
        );
    }

    #[test]
    fn settings_that_the_test_asked_for_are_named_as_the_cause() {
        let text = "invalid value for parameter \"work_mem\": \"1\"";
        assert!(of(Isolation::Database, text).contains("settings(...)"));
        assert_eq!(explain(Isolation::Database, &[], text), None);
    }
}
