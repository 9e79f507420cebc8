//! What a rollback leaves: sequences. A template's are known, and put back.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use super::admin::literal;
use super::failed;
use crate::error::Result;

/// The sequences of a template, and where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    /// One statement that sets back all that moved: a single round trip for each test. None if there are no sequences.
    restore: Option<Arc<str>>,
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
        if names.is_empty() {
            return Ok(Self::default());
        }
        // A sequence is read like a table of one row.
        let states = names
            .iter()
            .enumerate()
            .map(|(index, name)| format!("SELECT {index} AS i, last_value, is_called FROM {name}"));
        let states = format!("{} ORDER BY i", union(states));
        let states: Vec<(i32, i64, bool)> = sqlx::query_as(AssertSqlSafe(states))
            .fetch_all(connection)
            .await
            .map_err(|error| failed("failed to read sequences", &error))?;
        let restore = names.iter().zip(states).map(|(name, (_, last, called))| {
            format!(
                "SELECT setval({}, '{last}', {called}) FROM {name} WHERE (last_value, is_called) <> ('{last}', {called})",
                literal(name)
            )
        });
        Ok(Self {
            restore: Some(union(restore).into()),
        })
    }

    /// The statement that puts back those that moved, if there are sequences.
    pub(super) fn statement(&self) -> Option<&str> {
        self.restore.as_deref()
    }

    /// Puts back those that moved.
    pub(super) async fn restore(&self, connection: &mut PgConnection) -> Result<()> {
        let Some(restore) = &self.restore else { return Ok(()) };
        sqlx::query(AssertSqlSafe(restore.clone()))
            .execute(connection)
            .await
            .map(drop)
            .map_err(|error| failed("failed to put sequences back", &error))
    }
}

fn union(queries: impl Iterator<Item = String>) -> String {
    queries.collect::<Vec<_>>().join(" UNION ALL ")
}
