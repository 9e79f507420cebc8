//! Where in a SQL file an error is.

use futures_util::StreamExt;
use itest_runtime::Error;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use sqlx::{AssertSqlSafe, PgPool};

use super::statements;

/// What the server says, without the line of its own source.
pub(super) fn said(error: &sqlx::Error) -> Option<String> {
    let database = of_server(error)?;
    Some(match database.detail() {
        Some(detail) => format!("{} ({detail})", database.message()),
        None => database.message().to_owned(),
    })
}

fn of_server(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// An error with the line of the file that it is about. Where the server doesn't say it, as for most DDL, the statements are
/// run again and counted; `pool` leads to a slice that will go.
pub(super) async fn locate(failed: &str, sql: &str, error: &sqlx::Error, pool: &PgPool) -> Error {
    let Some((database, message)) = of_server(error).zip(said(error)) else {
        return Error::caused(failed, error);
    };
    let located = match database.position() {
        Some(PgErrorPosition::Original(position)) => line_at(sql, position),
        _ => line_by_counting(sql, database.message(), pool).await,
    };
    match located {
        Some((number, line)) => Error::new(message).context(format!("{failed} in line {number}: `{}`", line.trim())),
        None => Error::new(message).context(failed),
    }
}

/// The line of the character at `position`, which the server counts from one.
fn line_at(sql: &str, position: usize) -> Option<(usize, &str)> {
    let before: String = sql.chars().take(position.checked_sub(1)?).collect();
    let number = before.matches('\n').count();
    Some((number + 1, sql.lines().nth(number)?))
}

/// The first line of the statement that fails. All of a file is one transaction, so what came before it was undone.
async fn line_by_counting<'a>(sql: &'a str, message: &str, pool: &PgPool) -> Option<(usize, &'a str)> {
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute_many(pool);
    let mut done = 0;
    let again = loop {
        match results.next().await? {
            Ok(_) => done += 1,
            Err(error) => break error,
        }
    };
    if of_server(&again)?.message() != message {
        return None;
    }
    let start = *statements::starts(sql)?.get(done)?;
    line_at(sql, sql[..start].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_leads_to_its_line() {
        let sql = "CREATE TABLE é (id int);\nCREATE TABEL b (id int);\n";
        assert_eq!(line_at(sql, 33), Some((2, "CREATE TABEL b (id int);")));
        assert_eq!(line_at(sql, 1), Some((1, "CREATE TABLE é (id int);")));
        assert_eq!(line_at(sql, 0), None);
    }
}
