//! Locks a lease's clients out, and brings its database back, or learns what that will take.

use std::sync::Arc;

use itest_runtime::service::Recycled;
use itest_runtime::{Context, Result};
use sqlx::{AssertSqlSafe, Row};

use super::{PgSlice, PgSlices, Sealed};
use crate::admin::{end_other_sessions, end_others, ident, literal};
use crate::recycle::{Baseline, Contract, Template as Content};

impl PgSlices {
    /// Notes what a new database, a clone of `template`, has to be once more after each lease.
    pub(super) async fn take_baseline(&self, slice: &mut PgSlice, template: Option<&Sealed>) -> Result<()> {
        let Some(role) = slice.role.clone().filter(|_| !self.dedicated) else {
            return Ok(());
        };
        slice.content = Some(self.learn(slice, template).await?);
        if !self.recycles {
            return Ok(());
        }
        let query = Contract::query(&literal(&slice.database), &literal(&role));
        let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(self.admin.pool()).await;
        let contract = Contract::read(&row.context(|| "failed to look at a new database")?)?;
        slice.baseline = contract.counts_everything().then(|| Baseline::of_new(contract));
        Ok(())
    }

    /// What is in a new database and its template: looked up in the first one.
    async fn learn(&self, slice: &mut PgSlice, template: Option<&Sealed>) -> Result<Arc<Content>> {
        let known = template.map_or(&self.blank, |template| &template.content);
        let read = async || {
            let connection = self.connection(slice).await?;
            let content = if self.recycles {
                Content::read(connection).await
            } else {
                Content::read_sequences(connection).await
            };
            content.map(Arc::new)
        };
        known.get_or_try_init(read).await.cloned()
    }

    /// What renames a lease's role, so that nobody who knows its name gets in, and the new name. It is committed before what
    /// follows in the same message begins: whoever got in before is seen then.
    pub(super) fn lock_out(&self, role: &str) -> (String, String) {
        let parked = self.next_name("p");
        (
            format!("BEGIN; ALTER ROLE {} RENAME TO {}; COMMIT", ident(role), ident(&parked)),
            parked,
        )
    }

    /// Where changes aren't counted: after a rollback that was seen, only stale clients and sequences are left to deal with.
    /// In one message, if all is as it should be.
    pub(super) async fn recycle_rolled_back(
        &self,
        slice: &mut PgSlice,
        content: &Content,
        locked: &str,
    ) -> Result<Recycled> {
        let database = slice.database.clone();
        let connection = self.connection(slice).await?;
        let restore = content.restore_sequences().unwrap_or_default();
        // Whoever logs in after the first COMMIT is turned away, and whoever did so before it is counted.
        let all = format!("{locked}; {}; {restore}", end_others(&database));
        let row = sqlx::raw_sql(AssertSqlSafe(all)).fetch_one(&mut *connection).await;
        let left: i64 = row
            .and_then(|row| row.try_get(0))
            .context(|| "failed to take a rolled back database back")?;
        if left > 0 {
            end_other_sessions(connection, &database).await?;
            if !restore.is_empty() {
                let restored = sqlx::raw_sql(AssertSqlSafe(restore.to_owned()))
                    .execute(connection)
                    .await;
                restored.context(|| "failed to put sequences back")?;
            }
        }
        slice.rollbacks += 1;
        Ok(Recycled::Ready)
    }
}
