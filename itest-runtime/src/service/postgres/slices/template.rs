//! Templates: a draft is opened to its builder alone, then sealed; slices are cloned from what is sealed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tokio::sync::OnceCell;

use super::{Logins, PgSlice, PgSlices, Sealed, Template};
use crate::error::{Error, Result};
use crate::naming::random_hex;
use crate::service::Slices;
use crate::service::postgres::admin::{ident, literal};
use crate::service::postgres::{Isolation, PgGrant, PgSpec};
use crate::spec::Fingerprint;

impl PgSlices {
    /// Makes a blank database, and opens it to a builder.
    pub(super) async fn begin_draft(&self, spec: &PgSpec) -> Result<PgGrant> {
        let template = spec
            .template
            .clone()
            .ok_or_else(|| Error::new("there is nothing to build"))?;
        let database = self.next_name("d");
        self.templates().insert(
            template,
            Template::Draft {
                database: database.clone(),
            },
        );
        if let Logins::UrlUser { user, password, .. } = &self.logins {
            self.create(&database, "template0", None).await?;
            return Ok(self.grant_of(&database, user.clone(), password.clone(), Isolation::Database));
        }
        let owner = &self.owner_role;
        let password = random_hex(24);
        // What the builder makes belongs to the owner of templates.
        let made = format!(
            "CREATE ROLE {role} LOGIN PASSWORD {password}; GRANT {owner} TO {role}; ALTER ROLE {role} SET role = {owner}",
            role = ident(&database),
            password = literal(&password),
            owner = ident(owner),
        );
        self.admin.run("failed to make a role", made).await?;
        self.create(&database, self.base().await?, Some(owner)).await?;
        // Every lease's role is a member of the owner: the builder alone gets in.
        let opened = format!(
            "REVOKE CONNECT ON DATABASE {0} FROM {1}; GRANT CONNECT ON DATABASE {0} TO {0}",
            ident(&database),
            ident(owner)
        );
        self.admin
            .run("failed to open a database to the builder", opened)
            .await?;
        let user = database.clone();
        Ok(self.grant_of(&database, user, password, Isolation::Database))
    }

    /// Closes a draft for good: from now on it is cloned.
    pub(super) async fn seal_draft(&self, spec: &PgSpec) -> Result<()> {
        let template = spec
            .template
            .clone()
            .ok_or_else(|| Error::new("there is nothing to seal"))?;
        let draft = match self.templates().get(&template) {
            Some(Template::Draft { database }) => database.clone(),
            Some(Template::Sealed(_)) | None => return Err(Error::new("no template was begun")),
        };
        if matches!(self.logins, Logins::Own) {
            // What the builder's code left running may want to connect again.
            let locked = format!("ALTER ROLE {} NOLOGIN", ident(&draft));
            self.admin.run("failed to lock the builder out", locked).await?;
        }
        self.admin.end_sessions(&draft).await?;
        let has_settings = self.admin.has_settings(&draft).await?;
        let database = self.next_name(&format!("t{}_", template.short(12)));
        let (from, to) = (ident(&draft), ident(&database));
        // The mark of a template is the last thing it gets: what has none was never finished.
        self.admin
            .run(
                "failed to seal a template",
                format!("ALTER DATABASE {from} RENAME TO {to}"),
            )
            .await?;
        // Every lease's role is a member of the owner of templates, who could open this one again.
        self.admin
            .run(
                "failed to seal a template",
                format!("ALTER DATABASE {to} OWNER TO CURRENT_USER"),
            )
            .await?;
        self.admin
            .run(
                "failed to seal a template",
                format!("ALTER DATABASE {to} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true"),
            )
            .await?;
        self.templates().insert(
            template,
            Template::Sealed(Arc::new(Sealed {
                database,
                has_settings,
                source: spec.source.clone(),
                built: SystemTime::now(),
                content: OnceCell::new(),
            })),
        );
        self.has_news.store(true, Ordering::Relaxed);
        if matches!(self.logins, Logins::Own) {
            // It may own something that the builder made after `RESET ROLE`; then it stays.
            let parted = format!("REVOKE ALL ON DATABASE {to} FROM {from}");
            self.admin
                .run("failed to part the builder from its template", parted)
                .await?;
            let _ = self
                .admin
                .run("failed to drop the builder's role", format!("DROP ROLE {from}"))
                .await;
        }
        Ok(())
    }

    /// Removes a sealed template.
    pub(super) async fn drop_sealed(&self, template: &Fingerprint) {
        let Some(Template::Sealed(sealed)) = self.templates().remove(template) else {
            return;
        };
        self.has_news.store(true, Ordering::Relaxed);
        if let Err(error) = self.admin.drop_database(&sealed.database).await {
            tracing::warn!(%error, database = sealed.database, "a template could not be removed");
        }
    }

    /// Removes a draft.
    pub(super) async fn abandon_draft(&self, spec: &PgSpec) {
        let Some(template) = &spec.template else { return };
        let Some(Template::Draft { database }) = self.templates().remove(template) else {
            return;
        };
        let role = matches!(self.logins, Logins::Own).then(|| database.clone());
        self.destroy(PgSlice::new(database, role)).await;
    }
}
