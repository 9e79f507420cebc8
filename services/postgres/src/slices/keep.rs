//! Templates that outlive the server: its data is kept, and the next server begins with it.
//!
//! A comment on a template's database says what it is. It is written when all else is gone, so that whatever has none was
//! never finished, or never meant to stay.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use itest_runtime::service::{KeptTemplate, TemplateId};
use itest_runtime::spec::Fingerprint;
use itest_runtime::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use tokio::sync::OnceCell;

use super::terms::Terms;
use super::{PgSlices, Sealed, Template};
use crate::admin::{Admin, ident, literal};
use crate::external;
use crate::grant::Address;

/// What the comment on a kept template says, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    template: Fingerprint,
    source: Option<Fingerprint>,
    /// Seconds since 1970.
    built: u64,
    terms: Terms,
}

/// The templates that a server began with.
pub(super) async fn found(admin: &Admin) -> Result<HashMap<Fingerprint, Template>> {
    let rows = sqlx::raw_sql(
        "SELECT d.datname::text, c.description
         FROM pg_database d JOIN pg_shdescription c ON c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
         WHERE d.datistemplate AND d.oid >= 16384",
    );
    let rows = rows.fetch_all(admin.pool()).await;
    let mut found = HashMap::new();
    for row in rows.context(|| "failed to look for kept templates")? {
        let read = || -> sqlx::Result<(String, String)> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        let (database, comment) = read().context(|| "failed to look for kept templates")?;
        // Whoever wrote something else there is asked for nothing.
        let Ok(mark) = serde_json::from_str::<Mark>(&comment) else {
            continue;
        };
        let sealed = Sealed {
            database,
            terms: mark.terms,
            places: OnceCell::new(),
            source: mark.source,
            built: SystemTime::UNIX_EPOCH + Duration::from_secs(mark.built),
            content: OnceCell::new(),
        };
        found.insert(mark.template, Template::Sealed(Arc::new(sealed)));
    }
    Ok(found)
}

impl PgSlices {
    pub(super) fn kept(&self) -> Vec<KeptTemplate> {
        let kept = |(template, sealed): (Fingerprint, Arc<Sealed>)| {
            KeptTemplate::new(TemplateId::new(template, sealed.source.clone()), sealed.built)
        };
        self.all_sealed().into_iter().map(kept).collect()
    }

    fn all_sealed(&self) -> Vec<(Fingerprint, Arc<Sealed>)> {
        let templates = self.templates();
        let sealed = templates.iter().filter_map(|(template, state)| match state {
            Template::Sealed(sealed) => Some((template.clone(), sealed.clone())),
            Template::Draft { .. } => None,
        });
        sealed.collect()
    }

    /// Removes all but sealed templates, and says of those what they are.
    pub(super) async fn leave(&self) -> bool {
        if !matches!(self.address, Address::Native { .. }) || !self.recycles || !self.has_news.load(Ordering::Relaxed) {
            return false;
        }
        let left = self.try_leave().await;
        if let Err(error) = &left {
            tracing::debug!(%error, "the server's templates are not kept");
        }
        left.is_ok()
    }

    async fn try_leave(&self) -> Result<()> {
        self.check_era().await?;
        let templates: HashMap<String, Mark> = self
            .all_sealed()
            .into_iter()
            .map(|(template, sealed)| (sealed.database.clone(), mark(template, &sealed)))
            .collect();
        let databases = self.names("SELECT datname::text FROM pg_database WHERE oid >= 16384");
        let mut stays = HashSet::new();
        for database in databases.await? {
            if templates.contains_key(&database) {
                stays.insert(database);
            } else if database.starts_with(&external::prefix(&self.owner)) {
                self.admin.drop_database(&database).await?;
            }
        }
        if stays.is_empty() {
            return Err(Error::new("there are none"));
        }
        let stay = || templates.iter().filter(|(database, _)| stays.contains(*database));
        let owners: HashSet<&String> = stay().filter_map(|(_, mark)| mark.terms.owner.as_ref()).collect();
        for role in self
            .names("SELECT rolname::text FROM pg_roles WHERE oid >= 16384")
            .await?
        {
            if !owners.contains(&role) {
                self.drop_role(&role).await?;
            }
        }
        for (database, mark) in stay() {
            let text = serde_json::to_string(mark).context(|| "a template's mark has no JSON form")?;
            let marked = format!("COMMENT ON DATABASE {} IS {}", ident(database), literal(&text));
            self.admin.run("failed to mark a template", marked).await?;
        }
        self.is_bare(&stays).await
    }

    async fn names(&self, query: &'static str) -> Result<Vec<String>> {
        let names = sqlx::query_scalar(query).fetch_all(self.admin.pool()).await;
        names.context(|| "failed to list what is on the server")
    }

    /// Checks that nothing but these templates is on the server: what the next tests begin with has to be known.
    async fn is_bare(&self, templates: &HashSet<String>) -> Result<()> {
        let more = "SELECT 'the database ' || datname FROM pg_database WHERE oid >= 16384 AND NOT datistemplate
             UNION ALL SELECT 'the tablespace ' || spcname FROM pg_tablespace WHERE oid >= 16384
             UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts
             UNION ALL SELECT 'the replication slot ' || slot_name FROM pg_replication_slots
             UNION ALL SELECT 'the subscription ' || subname FROM pg_subscription
             UNION ALL SELECT 'a setting of ' || coalesce(setrole::regrole::text, '') FROM pg_db_role_setting s
               WHERE setrole BETWEEN 1 AND 16383
                 OR setrole = 0 AND NOT EXISTS (SELECT FROM pg_database d WHERE d.oid = s.setdatabase AND d.datistemplate)
             UNION ALL SELECT 'the setting ' || name FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'
             UNION ALL SELECT 'a right to the setting ' || parname FROM pg_parameter_acl";
        if let Some(more) = self.names(more).await?.into_iter().next() {
            return Err(Error::new(format!("{more} is on the server besides")));
        }
        let here = self.names("SELECT datname::text FROM pg_database WHERE oid >= 16384 AND datistemplate");
        match here.await?.into_iter().find(|name| !templates.contains(name)) {
            Some(name) => Err(Error::new(format!("the template {name} is on the server besides"))),
            None => Ok(()),
        }
    }
}

fn mark(template: Fingerprint, sealed: &Sealed) -> Mark {
    let built = sealed.built.duration_since(SystemTime::UNIX_EPOCH);
    Mark {
        template,
        source: sealed.source.clone(),
        built: built.unwrap_or_default().as_secs(),
        terms: sealed.terms.clone(),
    }
}
