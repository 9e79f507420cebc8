//! Templates: a draft is opened to its builder alone, then sealed; slices are cloned from what is sealed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use itest_runtime::service::{Slices, Templates, random_hex};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Error, Result};
use sqlx::Connection;
use tokio::sync::OnceCell;

use super::terms::{self, Terms};
use super::{Logins, PgSlice, PgSlices, Sealed, Template};
use crate::admin::{ident, literal};
use crate::{Isolation, PgGrant, PgSpec};

impl PgSlices {
    /// Makes a database, blank or like the base, and opens it to a builder.
    pub(super) async fn begin_draft(&self, spec: &PgSpec) -> Result<PgGrant> {
        let template = spec
            .template
            .as_ref()
            .map(|template| template.fingerprint.clone())
            .ok_or_else(|| Error::new("there is nothing to build"))?;
        if let Some(base) = self.base_template(spec) {
            return self.begin_upon(&base.spec, template).await;
        }
        let database = self.next_name("d");
        self.note_draft(&template, &database, None);
        if let Logins::UrlUser { user, password, .. } = &self.logins {
            self.create(&database, "template0", None).await?;
            return Ok(self.grant_of(&database, user.clone(), password.clone(), Isolation::Database));
        }
        let password = random_hex(24);
        // It stays as the owner of all that it makes.
        self.create_role(&database, &format!("PASSWORD {}", literal(&password)))
            .await?;
        let known = terms::login_of(&self.admin, &database).await?;
        self.note_draft(&template, &database, Some(known));
        self.create(&database, self.base().await?, Some(&database)).await?;
        Ok(self.grant_of(&database, database.clone(), password, Isolation::Database))
    }

    fn note_draft(&self, template: &Fingerprint, database: &str, login: Option<String>) {
        let database = database.to_owned();
        self.templates()
            .insert(template.clone(), Template::Draft { database, login });
    }

    /// A draft that begins as a slice of its base: all that is in it is its role's already.
    async fn begin_upon(&self, base: &PgSpec, template: Fingerprint) -> Result<PgGrant> {
        let slice = self.make(base).await?;
        let database = slice.database.clone();
        self.note_draft(&template, &database, None);
        if let Some(connection) = slice.connection {
            let _ = connection.close().await;
        }
        if let Logins::UrlUser { user, password, .. } = &self.logins {
            return Ok(self.grant_of(&database, user.clone(), password.clone(), Isolation::Database));
        }
        let password = random_hex(24);
        let opened = format!("ALTER ROLE {} PASSWORD {}", ident(&database), literal(&password));
        self.admin
            .run("failed to open a template to its builder", opened)
            .await?;
        let known = terms::login_of(&self.admin, &database).await?;
        self.note_draft(&template, &database, Some(known));
        Ok(self.grant_of(&database, database.clone(), password, Isolation::Database))
    }

    /// Closes a draft for good: from now on it is cloned.
    pub(super) async fn seal_draft(&self, spec: &PgSpec) -> Result<()> {
        let id = spec
            .template
            .clone()
            .ok_or_else(|| Error::new("there is nothing to seal"))?;
        let template = id.fingerprint;
        let (draft, login) = match self.templates().get(&template) {
            Some(Template::Draft { database, login }) => (database.clone(), login.clone()),
            Some(Template::Sealed(_)) | None => return Err(Error::new("no template was begun")),
        };
        let owner = matches!(self.logins, Logins::Own).then_some(draft.as_str());
        if let Some(login) = login
            && login != terms::login_of(&self.admin, &draft).await?
        {
            return Err(Error::new(
                "the template's code gave its own role another password, or an end of its validity (`ALTER ROLE …`), and no test \
                 has that role",
            )
            .hint("take the statement out; a role of your own can be made on a server of the test's own, with `postgres(dedicated)`"));
        }
        if owner.is_some() {
            // What the builder's code left running may want to connect again.
            let locked = format!("ALTER ROLE {} NOLOGIN", ident(&draft));
            self.admin.run("failed to lock the builder out", locked).await?;
        }
        self.admin.end_sessions(&draft).await?;
        terms::check_clonable(&self.admin, &draft).await?;
        let terms = Terms::read(&self.admin, &draft, owner).await?;
        let database = self.next_name(&format!("t{}_", template.short(12)));
        let (from, to) = (ident(&draft), ident(&database));
        // The mark of a template is the last thing it gets: what has none was never finished.
        self.admin
            .run(
                "failed to seal a template",
                format!("ALTER DATABASE {from} RENAME TO {to}"),
            )
            .await?;
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
                terms,
                places: OnceCell::new(),
                source: id.source,
                built: SystemTime::now(),
                content: OnceCell::new(),
            })),
        );
        self.has_news.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a sealed template.
    pub(super) async fn drop_sealed(&self, template: &Fingerprint) {
        let Some(Template::Sealed(sealed)) = self.templates().remove(template) else {
            return;
        };
        self.has_news.store(true, Ordering::Relaxed);
        let removed = async {
            self.admin.drop_database(&sealed.database).await?;
            match &sealed.terms.owner {
                Some(owner) => self.drop_role(owner).await,
                None => Ok(()),
            }
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, database = sealed.database, "a template could not be removed");
        }
    }

    /// Removes a draft.
    pub(super) async fn abandon_draft(&self, spec: &PgSpec) {
        let Some(template) = &spec.template else { return };
        let Some(Template::Draft { database, .. }) = self.templates().remove(&template.fingerprint) else {
            return;
        };
        let role = matches!(self.logins, Logins::Own).then(|| database.clone());
        self.destroy(PgSlice::new(database, role)).await;
    }
}
