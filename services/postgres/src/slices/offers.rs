//! What there is besides slices: templates, the server's log, and clearing up on somebody else's server.

use itest_runtime::Result;
use itest_runtime::service::{Base, Clearing, KeptTemplate, KeptTemplates, Logs, Templates};
use itest_runtime::spec::Fingerprint;

use super::PgSlices;
use crate::external;
use crate::grant::Address;
use crate::{Isolation, PgGrant, PgSpec, Postgres};

/// What sessions of a role in a database are running, and which session's lock they wait for. That one's last statement is told:
/// the one that took the lock, or a later one.
const BUSY_WITH: &str = r"WITH said AS (
       SELECT pid, usename, datname, state, wait_event_type, query_start,
         left(regexp_replace(trim(query), '\s+', ' ', 'g'), 300) AS query FROM pg_stat_activity
     )
     SELECT concat('`', s.query, '`, for ', round(extract(epoch FROM clock_timestamp() - s.query_start)::numeric, 1), ' s',
       CASE WHEN s.wait_event_type = 'Lock' THEN ', waiting for a lock' END,
       (SELECT string_agg(concat(' of a session that is ', b.state, ' after `', b.query, '`'), ' and')
          FROM said AS b WHERE s.wait_event_type = 'Lock' AND b.pid = ANY (pg_blocking_pids(s.pid)) AND b.datname = s.datname))
     FROM said AS s WHERE s.usename = $1 AND s.datname = $2 AND s.state = 'active' AND s.pid <> pg_backend_pid()
     ORDER BY s.query_start LIMIT 10";

impl Templates<Postgres> for PgSlices {
    /// On a server of a test's own there is one template alone. Files are run for each test where it has all of the database
    /// for itself: what they do is undone with what the test does.
    fn base_template(&self, spec: &PgSpec) -> Option<Base<PgSpec>> {
        let template = spec.base.clone().filter(|_| !self.dedicated)?;
        let base = PgSpec {
            template: Some(template.clone()),
            base: None,
            has_files_alone: false,
            isolation: Isolation::Database,
        };
        let may_replay = spec.has_files_alone && spec.isolation == Isolation::Database;
        Some(Base::new(template, base).may_replay(may_replay))
    }

    async fn begin_template(&self, spec: &PgSpec) -> Result<PgGrant> {
        self.begin_draft(spec).await
    }

    async fn seal_template(&self, spec: &PgSpec) -> Result<()> {
        self.seal_draft(spec).await
    }

    async fn abandon_template(&self, spec: &PgSpec) {
        self.abandon_draft(spec).await;
    }

    async fn drop_template(&self, template: &Fingerprint) {
        self.drop_sealed(template).await;
    }

    async fn template_bytes(&self, template: &Fingerprint) -> Option<u64> {
        let database = self.sealed(template).ok()?.database.clone();
        let size = sqlx::query_scalar("SELECT pg_database_size($1)").bind(&database);
        let size: sqlx::Result<i64> = size.fetch_one(self.admin.pool()).await;
        match size {
            Ok(bytes) => bytes.try_into().ok(),
            Err(error) => {
                tracing::debug!(%error, database, "the server doesn't tell how large a template is");
                None
            }
        }
    }
}

impl KeptTemplates for PgSlices {
    fn kept_templates(&self) -> Vec<KeptTemplate> {
        self.kept()
    }

    async fn leave_templates(&self) -> bool {
        self.leave().await
    }
}

impl Logs<Postgres> for PgSlices {
    async fn mark_log(&self, mark: &str) -> bool {
        let raised = format!("DO 'BEGIN RAISE LOG ''%'', ''{mark}''; END'");
        self.admin
            .run("failed to write to the server's log", raised)
            .await
            .is_ok()
    }

    async fn busy_with(&self, grant: &PgGrant) -> Vec<String> {
        let told = sqlx::query_scalar(BUSY_WITH).bind(&grant.user).bind(&grant.database);
        told.fetch_all(self.admin.pool()).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the server doesn't tell what it is doing");
            Vec::new()
        })
    }

    fn owns_line(&self, grant: &PgGrant, line: &str) -> bool {
        // By our own prefix: `… [pid] user@database `. That a test dropped its connection is nothing to read about.
        line.contains(&format!("] {}@", grant.user)) && !line.contains("unexpected EOF on client connection")
    }
}

impl Clearing for PgSlices {
    async fn clear(&self) {
        if matches!(self.address, Address::External { .. }) && self.can_create {
            external::clear(&self.admin, &self.owner).await;
            self.sweep.end().await;
        }
    }
}
