//! Where in a SQL file an error is.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::error::Error;

/// An error with the line of the file that it is about, if the server says where.
pub(super) fn locate(failed: &str, sql: &str, error: &sqlx::Error) -> Error {
    let Some(database) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return Error::caused(failed, error);
    };
    let mut message = database.message().to_owned();
    if let Some(detail) = database.detail() {
        message.push_str(&format!(" ({detail})"));
    }
    let located = match database.position() {
        Some(PgErrorPosition::Original(position)) => line_at(sql, position),
        _ => None,
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
