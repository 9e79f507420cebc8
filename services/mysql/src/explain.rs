//! Hints for failures that reveal a limit of a slice.
//!
//! All that is known of a failure is its text, which may be an application's own: only what MariaDB or sqlx say in just these
//! words counts.

use super::Isolation;
use super::transaction;

/// What only whoever runs the server may do, in its words.
const BEYOND: &[&str] = &[
    "Access denied; you need (at least one of) the ",
    "Access denied for user 'itest_",
    " command denied to user 'itest_",
];

pub(super) fn explain(isolation: Isolation, settings: &[String], failure: &str) -> Option<String> {
    // What `unwrap()` shows is `Debug`'s, which escapes quotes.
    let failure = &failure.replace("\\\"", "\"").replace("\\'", "'");
    let hint = if isolation == Isolation::Transaction && transaction::wanted_another(failure) {
        "with `transaction` a test has one connection; code that wants a second one while it holds the first waits in vain: give \
         the first back before, or write `mariadb` without `transaction`"
    } else if !settings.is_empty() && failure.contains("unknown variable '") {
        "the server doesn't take what `mariadb(settings(...))` says: write each as `\"name=value\"`, with a name that this \
         version knows"
    } else if BEYOND.iter().any(|text| failure.contains(text)) {
        "users, global variables, other databases and other things of the whole server are shared by all tests; for a server of \
         the test's own, where it may do anything, write `mariadb(dedicated)`"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_words_count() {
        let database = |failure| explain(Isolation::Database, &[], failure);
        for failure in [
            "Access denied; you need (at least one of) the SUPER privilege(s) for this operation",
            "CREATE USER command denied to user 'itest_0badcafe_s1'@'localhost'",
            "Access denied for user 'itest_0badcafe_s1'@'%' to database 'other'",
        ] {
            assert!(
                database(failure).is_some_and(|hint| hint.contains("mariadb(dedicated)")),
                "{failure}"
            );
        }
        assert_eq!(database("access denied"), None);
        let timed_out = "pool timed out while waiting for an open connection";
        assert_eq!(database(timed_out), None);
        assert!(explain(Isolation::Transaction, &[], timed_out).is_some());
    }
}
