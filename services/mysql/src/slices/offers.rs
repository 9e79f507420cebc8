//! What there is besides slices: templates, the server's log, and clearing up on somebody else's server.

use std::sync::Arc;

use itest_runtime::service::{Base, Clearing, Logs, Sweepable, Templates};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Error, Result};

use super::content::Content;
use super::{Address, Isolation, MariaDbSlices, Template};
use crate::{MariaDb, MariaDbGrant, MariaDbSpec};

const BUSY_WITH: &str = "SELECT CONCAT('`', LEFT(REGEXP_REPLACE(TRIM(INFO), '[[:space:]]+', ' '), 300), '`, for ', ROUND(TIME_MS / 1000, 1), ' s',
       IF(STATE <> '', CONCAT(': ', STATE), ''))
     FROM information_schema.PROCESSLIST WHERE USER = ? AND INFO IS NOT NULL ORDER BY TIME_MS DESC LIMIT 10";

impl Templates<MariaDb> for MariaDbSlices {
    /// Files are run for each test where it has all of the database for itself: that goes with the test.
    fn base_template(&self, spec: &MariaDbSpec) -> Option<Base<MariaDbSpec>> {
        let template = spec.base.clone().filter(|_| !self.dedicated)?;
        let base = MariaDbSpec {
            template: Some(template.clone()),
            base: None,
            has_files_alone: false,
            isolation: Isolation::Database,
        };
        let may_replay = spec.has_files_alone && spec.isolation == Isolation::Database;
        Some(Base::new(template, base).may_replay(may_replay))
    }

    async fn begin_template(&self, spec: &MariaDbSpec) -> Result<MariaDbGrant> {
        let template = spec
            .template
            .as_ref()
            .ok_or_else(|| Error::new("there is nothing to build"))?;
        let content = match self.base_template(spec).and_then(|base| base.spec.template) {
            Some(base) => Some(self.sealed(&base.fingerprint)?),
            None => None,
        };
        let database = self.next_name('d');
        self.create(&database, content.as_deref()).await?;
        let draft = Template::Draft(database.clone());
        self.templates().insert(template.fingerprint.clone(), draft);
        self.open(&database, Isolation::Database).await
    }

    /// Its builder is locked out; the database stays what slices are copied from.
    async fn seal_template(&self, spec: &MariaDbSpec) -> Result<()> {
        let template = spec
            .template
            .as_ref()
            .ok_or_else(|| Error::new("there is nothing to seal"))?;
        let draft = match self.templates().get(&template.fingerprint) {
            Some(Template::Draft(database)) => database.clone(),
            Some(Template::Sealed(_)) | None => return Err(Error::new("no template was begun")),
        };
        self.admin.drop_user(&draft).await?;
        let content = Content::read(&self.admin, &draft).await?;
        let sealed = Template::Sealed(Arc::new(content));
        self.templates().insert(template.fingerprint.clone(), sealed);
        Ok(())
    }

    async fn abandon_template(&self, spec: &MariaDbSpec) {
        let Some(template) = &spec.template else { return };
        let begun = self.templates().remove(&template.fingerprint);
        if let Some(Template::Draft(database)) = begun {
            self.admin.remove_slice(&database).await;
        }
    }

    async fn drop_template(&self, template: &Fingerprint) {
        let sealed = self.templates().remove(template);
        if let Some(Template::Sealed(content)) = sealed {
            self.admin.remove_slice(content.database()).await;
        }
    }

    async fn template_bytes(&self, template: &Fingerprint) -> Option<u64> {
        let content = self.sealed(template).ok()?;
        let size = "SELECT CAST(SUM(DATA_LENGTH + INDEX_LENGTH) AS UNSIGNED) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?";
        let size = sqlx::query_scalar::<_, Option<u64>>(size).bind(content.database());
        size.fetch_one(self.admin.pool()).await.ok().flatten()
    }
}

impl Logs<MariaDb> for MariaDbSlices {
    fn owns_line(&self, grant: &MariaDbGrant, line: &str) -> bool {
        // That a test dropped its connection is nothing to read about.
        line.contains(&format!("'{}'", grant.user)) && !line.contains("Aborted connection")
    }

    async fn busy_with(&self, grant: &MariaDbGrant) -> Vec<String> {
        let told = sqlx::query_scalar(BUSY_WITH).bind(&grant.user);
        told.fetch_all(self.admin.pool()).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the server doesn't tell what it is doing");
            Vec::new()
        })
    }
}

impl Clearing for MariaDbSlices {
    async fn clear(&self) {
        if !matches!(self.address, Address::External { .. }) {
            return;
        }
        self.admin.remove(self.admin.owner()).await;
        self.sweep.end().await;
    }
}
