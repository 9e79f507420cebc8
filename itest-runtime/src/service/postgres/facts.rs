//! What a rollback leaves: sequences. A template's are known, and put back.

use sqlx::{AssertSqlSafe, PgConnection};

use super::admin::literal;
use super::failed;
use crate::error::Result;

/// The sequences of a template, and where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequences(Vec<Sequence>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sequence {
    /// Quoted, with its schema.
    name: String,
    last: i64,
    called: bool,
}

impl Sequences {
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY c.oid",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| failed("failed to list the template's sequences", &error))?;
        read_states(connection, names).await.map(Self)
    }

    /// Puts back those that moved.
    pub(super) async fn restore(&self, connection: &mut PgConnection) -> Result<()> {
        let names = self.0.iter().map(|sequence| sequence.name.clone()).collect();
        let now = read_states(connection, names).await?;
        let moved: Vec<String> = self
            .0
            .iter()
            .zip(&now)
            .filter(|(then, now)| then != now)
            .map(|(then, _)| format!("setval({}, {}, {})", literal(&then.name), then.last, then.called))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        sqlx::raw_sql(AssertSqlSafe(format!("SELECT {}", moved.join(", "))))
            .execute(connection)
            .await
            .map(drop)
            .map_err(|error| failed("failed to put sequences back", &error))
    }
}

/// One query for all: a sequence is read like a table of one row.
async fn read_states(connection: &mut PgConnection, names: Vec<String>) -> Result<Vec<Sequence>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let each: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("SELECT {index} AS i, last_value, is_called FROM {name}"))
        .collect();
    let rows: Vec<(i32, i64, bool)> = sqlx::query_as(AssertSqlSafe(format!("{} ORDER BY i", each.join(" UNION ALL "))))
        .fetch_all(connection)
        .await
        .map_err(|error| failed("failed to read sequences", &error))?;
    Ok(names
        .into_iter()
        .zip(rows)
        .map(|(name, (_, last, called))| Sequence { name, last, called })
        .collect())
}
