//! Whose a template's content is, and how a clone's becomes its lease's.
//!
//! PostgreSQL does much as an object's owner: it checks foreign keys, refreshes views, runs `SECURITY DEFINER` functions. So
//! whoever owns what is in a slice has to be able to do all there that its builder could, and nothing elsewhere. The builder's
//! role stays its template's owner, and nobody is a member of it; what is in a clone is handed over to the clone's own role,
//! which owns the database, too. `REASSIGN OWNED` would leave access lists, default privileges, policies and user mappings
//! behind, and take each object by itself: the catalogs are written instead, before anybody else gets in.

use itest_runtime::{Context, Error, Result};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{PgSlice, PgSlices, Sealed};
use crate::admin::{ident, literal};

/// The columns of a database's catalogs that name roles. By their types and names: some versions have more of them than others.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text,
       CASE a.atttypid WHEN 'aclitem[]'::regtype THEN 'rights' WHEN 'oid[]'::regtype THEN 'roles' ELSE 'role' END
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared AND a.attnum > 0
       AND (a.atttypid = 'aclitem[]'::regtype OR a.atttypid = 'oid'::regtype AND a.attname ~ '(owner|^defaclrole|^umuser)$'
         OR a.atttypid = 'oid[]'::regtype AND a.attname = 'polroles')";

/// Where a template's catalogs name its owner: the same in each clone.
#[derive(Debug)]
pub(super) struct Places {
    columns: Vec<Column>,
    /// What leads to a schema that is named like the owner, as `"$user"` did for the builder.
    search_path: Option<String>,
}

/// A column that names the owner in some rows.
#[derive(Debug)]
struct Column {
    catalog: String,
    name: String,
    holds: Holds,
}

#[derive(Debug, Clone, Copy)]
enum Holds {
    Role,
    Roles,
    Rights,
}

impl Column {
    /// The condition that a row names a role: by its object id and by a name that needs no quotes.
    fn names(&self, id: &str, role: &str) -> String {
        let column = ident(&self.name);
        match self.holds {
            Holds::Role => format!("{column} = {id}"),
            Holds::Roles => format!("{id} = ANY ({column})"),
            Holds::Rights => format!("{column}::text ~ {}", word(role)),
        }
    }

    fn hand_over(&self, (from, from_name): (&str, &str), (to, to_name): (&str, &str)) -> String {
        let column = ident(&self.name);
        let new = match self.holds {
            Holds::Role => to.to_owned(),
            Holds::Roles => format!("array_replace({column}, {from}, {to})"),
            Holds::Rights => {
                let (from, to) = (word(from_name), literal(to_name));
                format!("regexp_replace({column}::text, {from}, {to}, 'g')::aclitem[]")
            }
        };
        format!(
            "UPDATE pg_catalog.{} SET {column} = {new} WHERE {}",
            ident(&self.catalog),
            self.names(from, from_name)
        )
    }
}

/// A regular expression for a role's name in an access list: `name=rights/name`.
fn word(role: &str) -> String {
    literal(&format!(r"\m{role}\M"))
}

/// The object id of a role, as an expression.
fn id_of(role: &str) -> String {
    format!(
        "(SELECT oid FROM pg_catalog.pg_authid WHERE rolname = {})",
        literal(role)
    )
}

impl PgSlices {
    /// Hands what is in a new clone over to the clone's role.
    pub(super) async fn hand_over(&self, slice: &mut PgSlice, template: &Sealed) -> Result<()> {
        let (Some(owner), Some(role)) = (&template.terms.owner, slice.role.clone()) else {
            return Ok(());
        };
        let (database, wanted) = (slice.database.clone(), || "failed to hand a database over to its role");
        let connection = self.connection(slice).await?;
        // What we change is no test's change. Nothing in the database may tell us what `=` means.
        let opening = sqlx::raw_sql("SET track_counts = off; SET search_path = ''");
        opening.execute(&mut *connection).await.context(wanted)?;
        let read = template.places.get_or_try_init(async || {
            let (columns, has_schema) = columns(connection, owner).await?;
            let search_path = if has_schema {
                Some(self.search_path(&template.database, owner).await?)
            } else {
                None
            };
            Ok::<_, Error>(Places { columns, search_path })
        });
        let places = read.await?;
        let (from, to) = (id_of(owner), id_of(&role));
        let mut statements: Vec<String> = places
            .columns
            .iter()
            .map(|column| column.hand_over((&from, owner), (&to, &role)))
            .collect();
        statements.push(format!(
            "UPDATE pg_catalog.pg_shdepend SET refobjid = {to} WHERE refclassid = 'pg_authid'::regclass AND refobjid = {from}
               AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
        ));
        if let Some(path) = &places.search_path {
            let (role, database) = (ident(&role), ident(&database));
            statements.push(format!(
                "ALTER ROLE {role} IN DATABASE {database} SET search_path = {path}"
            ));
        }
        statements.push("RESET track_counts".to_owned());
        // One message is one transaction.
        let all = sqlx::raw_sql(AssertSqlSafe(statements.join("; ")));
        all.execute(connection).await.map(drop).context(wanted)
    }

    /// The builder's search path, with its own schema in the place of `"$user"`.
    async fn search_path(&self, database: &str, owner: &str) -> Result<String> {
        let query = format!(
            r#"SELECT replace(coalesce(
                 (SELECT substring(setting FROM 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
                  WHERE setting LIKE 'search_path=%' AND s.setdatabase IN (0, d.oid) AND s.setrole IN (0, {owner})
                  ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1),
                 (SELECT CASE source WHEN 'configuration file' THEN reset_val ELSE boot_val END FROM pg_settings
                  WHERE name = 'search_path')), '"$user"', {schema})
               FROM pg_database d WHERE datname = {database}"#,
            owner = id_of(owner),
            schema = literal(&ident(owner)),
            database = literal(database)
        );
        let path = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(self.admin.pool())
            .await;
        path.context(|| "failed to look up a template's search path")
    }
}

/// Looks up in a clone which columns name the owner, and whether a schema has its name.
async fn columns(connection: &mut PgConnection, owner: &str) -> Result<(Vec<Column>, bool)> {
    let wanted = || "failed to look up what a template's owner owns";
    let all: Vec<(String, String, String)> = sqlx::query_as(COLUMNS)
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .context(wanted)?;
    let mut columns = Vec::new();
    for (catalog, name, holds) in all {
        let holds = match holds.as_str() {
            "rights" => Holds::Rights,
            "roles" => Holds::Roles,
            _ => Holds::Role,
        };
        columns.push(Column { catalog, name, holds });
    }
    let id = id_of(owner);
    let exist: Vec<String> = columns
        .iter()
        .map(|column| {
            let (catalog, condition) = (ident(&column.catalog), column.names(&id, owner));
            format!("EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {condition})")
        })
        .collect();
    let query = format!(
        "SELECT ARRAY[{}], to_regnamespace({}) IS NOT NULL",
        exist.join(", "),
        literal(owner)
    );
    let (exist, has_schema): (Vec<bool>, bool) = sqlx::query_as(AssertSqlSafe(query))
        .persistent(false)
        .fetch_one(connection)
        .await
        .context(wanted)?;
    let named = columns.into_iter().zip(exist);
    Ok((
        named.filter_map(|(column, exists)| exists.then_some(column)).collect(),
        has_schema,
    ))
}
