//! What editors and `psql` understand in a SQL file, and a server doesn't: said before it is run, as the server's own words
//! lead nowhere.

use itest_runtime::{Error, Result};

use super::statements;

/// # Errors
/// When `sql` holds something that no server takes. `what` names the file.
pub(super) fn check(what: impl Fn() -> String, sql: &str) -> Result<()> {
    if sql.starts_with('\u{feff}') {
        return Err(Error::new(format!(
            "{} begins with a byte order mark, which PostgreSQL takes for a part of the first word",
            what()
        ))
        .hint("save it as UTF-8 without one"));
    }
    let line_of = |at: usize| sql[..at].matches('\n').count() + 1;
    for start in statements::starts(sql).unwrap_or_default() {
        let line = sql[start..].lines().next().unwrap_or_default().trim_end();
        if line.starts_with('\\') {
            return Err(Error::new(format!(
                "{} has a command of `psql`'s own in line {}, which is not SQL: `{line}`",
                what(),
                line_of(start)
            ))
            .hint("take the line out; `pg_dump` writes such lines for `psql` alone"));
        }
        if is_copy_from_stdin(&sql[start..]) {
            return Err(Error::new(format!(
                "{} has rows in line {} that only `psql` could send: `{line}`",
                what(),
                line_of(start)
            ))
            .hint("write `INSERT`, as `pg_dump --inserts` does"));
        }
    }
    Ok(())
}

/// Whether a text begins with `COPY … FROM STDIN`.
fn is_copy_from_stdin(statement: &str) -> bool {
    let end = statement.find(';').unwrap_or(statement.len());
    let words: Vec<String> = statement[..end]
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    words.first().is_some_and(|word| word == "copy")
        && words
            .windows(2)
            .any(|pair| pair[0] == "from" && pair[1].trim_end_matches('(') == "stdin")
}

/// Whether a text leaves an empty search path to whoever comes next.
pub(super) fn empties_search_path(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let ends = [
        "set_config('search_path', ''",
        "set search_path = ''",
        "set search_path to ''",
    ]
    .iter()
    .filter_map(|text| Some(sql.rfind(text)? + text.len()));
    ends.max().is_some_and(|end| !sql[end..].contains("search_path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sql: &str) -> String {
        check(|| "the file".to_owned(), sql).map_or_else(|error| error.render(), |()| String::new())
    }

    #[test]
    fn what_only_psql_understands_is_named_with_its_line() {
        assert!(
            said("-- a dump\n\n\\restrict abc\nSELECT 1;").contains("in line 3, which is not SQL: `\\restrict abc`")
        );
        assert!(said("SELECT 1;\nCOPY public.t (a, b) FROM stdin;\n1\t2\n\\.\n").contains("rows in line 2"));
        assert!(said("\u{feff}SELECT 1").contains("byte order mark"));
    }

    #[test]
    fn what_a_server_takes_is_left_alone() {
        for sql in [
            "SELECT '\n\\restrict'",
            "COPY t FROM '/a/file'",
            "-- COPY t FROM stdin;\nSELECT 1",
            "INSERT INTO notes VALUES ('copy from stdin')",
        ] {
            assert_eq!(said(sql), "", "{sql}");
        }
    }

    #[test]
    fn a_search_path_that_is_set_again_is_no_empty_one() {
        assert!(empties_search_path(
            "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE a.b ();"
        ));
        assert!(!empties_search_path(
            "SET search_path = ''; CREATE TABLE a.b (); RESET search_path;"
        ));
        assert!(!empties_search_path("CREATE TABLE a.b ()"));
    }
}
