//! The database that everything else is cloned from: empty, and in it the supervisor's own sessions aren't shown.
//!
//! The supervisor keeps a session in each slice, because a new one would cost more than a test does. A test that counts the
//! sessions of its database, or ends all but its own, must not meet it: it would find one session or two by the slice's past,
//! and may not end a superuser's. So the views that show sessions leave ours out.

use itest_runtime::{Context, Result};
use sqlx::{Connection, PgConnection};

use super::{Logins, PgSlices};
use crate::admin::ident;

/// What hides the sessions of the role that runs this, by which the supervisor's are known. Views that are replaced keep their
/// columns and rights.
const HIDE: &str = r"
    SET allow_system_table_mods = on;
    DO $$
    DECLARE
        ours text := format('a.usesysid = %s AND a.application_name LIKE %L', session_user::regrole::oid, 'itest:%');
    BEGIN
        EXECUTE format('CREATE OR REPLACE VIEW pg_catalog.pg_stat_activity AS SELECT * FROM (%s) AS a WHERE (%s) IS NOT TRUE',
            rtrim(pg_get_viewdef('pg_catalog.pg_stat_activity'), ';'), ours);
        EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_stat_database AS ' || regexp_replace(
            pg_get_viewdef('pg_catalog.pg_stat_database'),
            'pg_stat_get_db_numbackends\((d\.)?oid\)',
            format('(pg_stat_get_db_numbackends(d.oid)
                - (SELECT count(*)::int FROM pg_stat_get_activity(NULL) AS a WHERE a.datid = d.oid AND %s))', ours));
    END $$";

impl PgSlices {
    /// The database to clone where there is no template.
    pub(super) async fn base(&self) -> Result<&str> {
        // Where nothing is used again, no session of ours stays; a URL's user may not change what views show.
        if self.dedicated || !matches!(self.logins, Logins::Own) {
            return Ok("template0");
        }
        let made = self.base.get_or_try_init(|| self.create_base()).await?;
        Ok(made)
    }

    async fn create_base(&self) -> Result<String> {
        let wanted = || "failed to prepare the database that all others are made of";
        let name = self.next_name("b");
        self.admin.create_database(&name, "template0", self.strategy).await?;
        let mut connection = PgConnection::connect_with(&self.admin.options_in(&name))
            .await
            .context(wanted)?;
        sqlx::raw_sql(HIDE).execute(&mut connection).await.context(wanted)?;
        connection.close().await.context(wanted)?;
        let closed = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", ident(&name));
        self.admin.run(wanted(), closed).await?;
        Ok(name)
    }
}
