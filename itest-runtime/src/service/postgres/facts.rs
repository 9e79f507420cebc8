//! What a rollback leaves: sequences. A template's are known, and put back.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use super::failed;
use crate::error::Result;

/// The sequences of a template, and where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    /// One statement that sets all of them. None if there are no sequences.
    restore: Option<Arc<str>>,
}

impl Sequences {
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self> {
        let names: Vec<(i64, String)> = sqlx::query_as(
            "SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
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
        let states: Vec<String> = names
            .iter()
            .map(|(oid, name)| format!("SELECT {oid}::bigint AS id, last_value, is_called FROM {name}"))
            .collect();
        let states: Vec<(i64, i64, bool)> = sqlx::query_as(AssertSqlSafe(states.join(" UNION ALL ")))
            .fetch_all(connection)
            .await
            .map_err(|error| failed("failed to read sequences", &error))?;
        // Clones have their template's object ids. Setting all costs less than finding those that moved: 40 selects in one
        // take milliseconds to plan.
        let states: Vec<String> = states
            .iter()
            .map(|(oid, last, called)| format!("({oid}::oid, '{last}'::bigint, {called})"))
            .collect();
        let restore = format!(
            "SELECT count(setval(s.id::regclass, s.last, s.called)) FROM (VALUES {}) AS s(id, last, called)",
            states.join(", ")
        );
        Ok(Self {
            restore: Some(restore.into()),
        })
    }

    /// The statement that puts them back, if there are sequences.
    pub(super) fn statement(&self) -> Option<&str> {
        self.restore.as_deref()
    }

    /// Puts them back.
    pub(super) async fn restore(&self, connection: &mut PgConnection) -> Result<()> {
        let Some(restore) = &self.restore else { return Ok(()) };
        sqlx::raw_sql(AssertSqlSafe(restore.clone()))
            .execute(connection)
            .await
            .map(drop)
            .map_err(|error| failed("failed to put sequences back", &error))
    }
}
