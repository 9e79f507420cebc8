//! One database, and the supervisor's own connection to it.

use std::sync::Arc;
use std::time::Duration;

use itest_runtime::{Context, Error, Result};
use sqlx::{Connection, PgConnection};

use super::PgSlices;
use crate::Isolation;
use crate::admin::bound_locks;
use crate::recycle::{Baseline, OPENING, Template as Content};

/// How long to wait for a lock in a slice before those who hold it are ended.
const LOCKED: Duration = Duration::from_millis(500);

/// One database.
#[derive(Debug)]
pub struct PgSlice {
    pub(super) database: String,
    pub(super) role: Option<String>,
    /// What the role is called if renaming it failed.
    pub(super) former_role: Option<String>,
    /// What is in its template; none if it is not used twice.
    pub(super) content: Option<Arc<Content>>,
    /// What it has to be once more, where changes are counted.
    pub(super) baseline: Option<Baseline>,
    /// Stays open while the database is used again: no fork, no cold catalog cache.
    pub(super) connection: Option<PgConnection>,
    /// How many transactions were rolled back here.
    pub(super) rollbacks: u32,
    /// As what the role was opened last, if nothing of that has changed since.
    pub(super) opened: Option<Isolation>,
    /// The URL's own database: nothing of it is ours.
    pub(super) is_guest: bool,
}

impl PgSlice {
    pub(super) fn new(database: String, role: Option<String>) -> Self {
        Self {
            database,
            role,
            former_role: None,
            content: None,
            baseline: None,
            connection: None,
            rollbacks: 0,
            opened: None,
            is_guest: false,
        }
    }
}

impl PgSlices {
    pub(super) async fn connection<'a>(&self, slice: &'a mut PgSlice) -> Result<&'a mut PgConnection> {
        if slice.connection.is_none() {
            slice.connection = Some(self.connect_to(&slice.database).await?);
        }
        slice
            .connection
            .as_mut()
            .ok_or_else(|| Error::new("a slice has no connection"))
    }

    /// A connection of the supervisor's own that nothing in the database bends.
    pub(super) async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        let wanted = || "failed to connect to a slice";
        // These could end the session before it can say anything.
        let patient = [("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
        let options = self.admin.options_in(database).options(patient);
        let mut connection = PgConnection::connect_with(&options).await.context(wanted)?;
        bound_locks(&mut connection, LOCKED).await.context(wanted)?;
        if self.recycles {
            sqlx::raw_sql(OPENING).execute(&mut connection).await.context(wanted)?;
        }
        Ok(connection)
    }
}
