//! What a template's builder said of its database and of its own role: `CREATE DATABASE` copies none of that.

use itest_runtime::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::admin::{Admin, ident, literal};

/// All of it that each clone gets, too.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Terms {
    /// The role that built the template and owns what is in it; none where that is the URL's user.
    pub(super) owner: Option<String>,
    /// Whether `ALTER DATABASE … SET` was run, or `ALTER ROLE … SET` of the builder's role.
    has_settings: bool,
    /// What others were granted: a right to the database, and what follows `TO`.
    grants: Vec<(String, String)>,
    /// How many connections the database takes, if any number was set.
    limit: Option<i32>,
    comment: Option<String>,
}

impl Terms {
    /// Reads them, while the builder owns the database.
    pub(super) async fn read(admin: &Admin, database: &str, owner: Option<&str>) -> Result<Self> {
        let wanted = || "failed to look at what was said of a template";
        let (has_settings, limit, comment): (bool, i32, Option<String>) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = d.oid OR s.setdatabase = 0 AND r.oid = s.setrole),
               d.datconnlimit, shobj_description(d.oid, 'pg_database')
             FROM pg_database d LEFT JOIN pg_roles r ON r.rolname = $2 WHERE d.datname = $1",
        )
        .bind(database)
        .bind(owner)
        .fetch_one(admin.pool())
        .await
        .context(wanted)?;
        // Whatever is granted to all would let other tests in.
        let grants = sqlx::query_as(
            "SELECT x.privilege_type, x.grantee::regrole || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
             FROM pg_database d, aclexplode(d.datacl) x WHERE d.datname = $1 AND x.grantee NOT IN (0, d.datdba)",
        )
        .bind(database)
        .fetch_all(admin.pool())
        .await
        .context(wanted)?;
        Ok(Self {
            owner: owner.map(str::to_owned),
            has_settings,
            grants,
            limit: (limit >= 0).then_some(limit),
            comment,
        })
    }

    /// Says the same of a clone, and of its role.
    pub(super) async fn copy(&self, admin: &Admin, template: &str, clone: &str, role: Option<&str>) -> Result<()> {
        if self.has_settings {
            match (&self.owner, role) {
                (Some(owner), Some(role)) => copy_settings(admin, (template, owner), (clone, role)).await?,
                (Some(_) | None, _) => set_again(admin, template, clone).await?,
            }
        }
        let database = ident(clone);
        let mut said: Vec<String> = self
            .grants
            .iter()
            .map(|(right, to)| format!("GRANT {right} ON DATABASE {database} TO {to}"))
            .collect();
        said.extend(
            self.limit
                .map(|limit| format!("ALTER DATABASE {database} CONNECTION LIMIT {limit}")),
        );
        let comment = self.comment.as_deref().map(literal);
        said.extend(comment.map(|comment| format!("COMMENT ON DATABASE {database} IS {comment}")));
        if said.is_empty() {
            return Ok(());
        }
        admin
            .run(
                "failed to say of a database what was said of its template",
                said.join("; "),
            )
            .await
    }
}

/// For a superuser alone. No statement could quote each kind of value back, or say it without bending its own session.
async fn copy_settings(admin: &Admin, (template, owner): (&str, &str), (clone, role): (&str, &str)) -> Result<()> {
    let copied = sqlx::query(
        "INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
         SELECT CASE s.setdatabase WHEN 0 THEN 0 ELSE c.oid END, CASE s.setrole WHEN o.oid THEN r.oid ELSE s.setrole END, s.setconfig
         FROM pg_db_role_setting s, pg_database t, pg_roles o, pg_database c, pg_roles r
         WHERE t.datname = $1 AND o.rolname = $2 AND c.datname = $3 AND r.rolname = $4
           AND (s.setdatabase = t.oid OR s.setdatabase = 0 AND s.setrole = o.oid)",
    );
    let names = [template, owner, clone, role];
    let copied = names
        .into_iter()
        .fold(copied, |query, name| query.bind(name.to_owned()));
    let copied = copied.execute(admin.pool()).await;
    copied.map(drop).context(|| "failed to copy a template's settings")
}

/// Gives a role the settings of another, in all databases.
pub(super) fn like_role(from: &str, to: &str) -> String {
    format!(
        "INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig) SELECT s.setdatabase, r.oid, s.setconfig
         FROM pg_db_role_setting s JOIN pg_roles o ON o.oid = s.setrole, pg_roles r WHERE o.rolname = {} AND r.rolname = {}",
        literal(from),
        literal(to)
    )
}

/// Where catalogs can't be written: a session takes each value, and has it noted.
async fn set_again(admin: &Admin, template: &str, clone: &str) -> Result<()> {
    let wanted = || "failed to set for a database what was set for its template";
    let settings: Vec<(String, String)> = sqlx::query_as(
        "SELECT split_part(setting, '=', 1), substring(setting FROM position('=' IN setting) + 1)
         FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting
         WHERE d.datname = $1 AND s.setrole = 0",
    )
    .bind(template)
    .fetch_all(admin.pool())
    .await
    .context(wanted)?;
    let mut session = PgConnection::connect_with(admin.options()).await.context(wanted)?;
    for (name, value) in settings {
        let words: Vec<String> = name.split('.').map(ident).collect();
        let set = format!(
            "SELECT set_config({}, {}, false); ALTER DATABASE {} SET {name} FROM CURRENT; RESET {name}",
            literal(&name),
            literal(&value),
            ident(clone),
            name = words.join(".")
        );
        let set = sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut session).await;
        set.context(|| format!("failed to set `{name}` for a database, as it is for its template"))?;
    }
    session.close().await.context(wanted)
}

/// What can't be kept of a builder's role: each test logs in with a name and a password of its own.
pub(super) async fn login_of(admin: &Admin, builder: &str) -> Result<String> {
    sqlx::query_scalar("SELECT md5(concat_ws(' ', rolpassword, rolvaliduntil)) FROM pg_authid WHERE rolname = $1")
        .bind(builder)
        .fetch_one(admin.pool())
        .await
        .context(|| "failed to look at a builder's role")
}

/// # Errors
/// When the builder left what no clone can have.
pub(super) async fn check_clonable(admin: &Admin, database: &str) -> Result<()> {
    let left: Option<String> = sqlx::query_scalar("SELECT gid FROM pg_prepared_xacts WHERE database = $1 LIMIT 1")
        .bind(database)
        .fetch_optional(admin.pool())
        .await
        .context(|| "failed to look for prepared transactions")?;
    match left {
        Some(transaction) => Err(Error::new(format!(
            "`PREPARE TRANSACTION {}` was left without its end while the template was built, and no database can be made of it",
            literal(&transaction)
        ))
        .hint("end it with `COMMIT PREPARED` there, or prepare it in the test")),
        None => Ok(()),
    }
}
