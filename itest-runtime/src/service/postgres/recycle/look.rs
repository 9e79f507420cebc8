//! What a slice's lease did to it, as the server tells it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::plan::Catalogs;
use super::template::{Template, but_for_temporary, fingerprint};
use crate::error::{Context, Error, Result};

/// How often ended sessions are looked for.
const LOOK: Duration = Duration::from_millis(1);
/// How long a session may take to end after it was told to.
const ENDS: Duration = Duration::from_secs(20);

/// What our own connection to a slice begins with: settings of its database must not shape what we do, numbers and dates are
/// read and written as `pg_dump` does, and counters are read as they are now, not as they were when first asked for.
pub(in crate::service::postgres) const OPENING: &str = "SET search_path = ''; SET stats_fetch_consistency = none;
     SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off;
     SET default_transaction_isolation = 'read committed'; SET row_security = off; SET datestyle = iso;
     SET intervalstyle = postgres; SET extra_float_digits = 3; SET xmloption = content; SET client_min_messages = error;
     SET synchronize_seqscans = off; SET bytea_output = hex; SET standard_conforming_strings = on; SET role = none";

/// What must hold of a database and its role whoever uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service::postgres) struct Contract {
    database: u32,
    role: u32,
    /// Whatever a lease could do to its database and its role that no catalog within the database shows.
    terms: String,
    /// The first transaction id that a lease's rows can have.
    pub(super) horizon: u64,
}

/// The state of one relation's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    /// Of sequences alone.
    pub(super) blocks: u64,
}

impl Counts {
    pub(super) fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    /// How far they went since; none if they went back.
    pub(super) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            inserted: self.inserted.checked_sub(before.inserted)?,
            updated: self.updated.checked_sub(before.updated)?,
            deleted: self.deleted.checked_sub(before.deleted)?,
            blocks: self.blocks.checked_sub(before.blocks)?,
        })
    }

    pub(super) fn add(&mut self, more: Self) {
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.deleted += more.deleted;
        self.blocks += more.blocks;
    }
}

/// What was seen after a lease.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) terms: String,
    /// Of all relations that ever changed.
    pub(super) counts: HashMap<u32, Counts>,
}

/// The oids of a database and a role, by `d` and `a`; what no template knows of them; and a transaction id.
///
/// Prepared transactions, settings, and what the rights of a role or a database's owner allow: its access list, limits,
/// comments, members. The password is set anew for each lease.
fn terms(condition: &str) -> String {
    format!(
        "SELECT 3, d.oid::int8, a.oid::int8, pg_snapshot_xmax(pg_current_snapshot())::text::int8, 0::int8, ROW(
           pg_stat_get_db_stat_reset_time(d.oid), (SELECT array_agg(x::text) FROM aclexplode(d.datacl) AS x), d.datconnlimit, d.datistemplate, d.datallowconn, d.dattablespace,
           d.datdba, a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb, a.rolcanlogin, a.rolreplication, a.rolbypassrls,
           a.rolvaliduntil,
           (SELECT count(*) FROM pg_prepared_xact() AS p WHERE p.dbid = d.oid),
           (SELECT count(*) FROM pg_catalog.pg_shdescription AS s WHERE s.objoid IN (d.oid, a.oid)),
           (SELECT string_agg(concat(s.setdatabase, ':', s.setrole, s.setconfig), ',' ORDER BY s.setdatabase, s.setrole)
              FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = d.oid OR s.setrole = a.oid),
           (SELECT string_agg(concat(m.roleid, ':', m.member, m.admin_option), ',' ORDER BY m.roleid, m.member)
              FROM pg_catalog.pg_auth_members AS m WHERE m.roleid = a.oid OR m.member = a.oid),
           current_setting('track_counts'), has_parameter_privilege(a.oid, 'track_counts', 'SET'))::text
         FROM pg_catalog.pg_database AS d, pg_catalog.pg_authid AS a WHERE {condition}"
    )
}

impl Contract {
    /// The query that reads it, for a database that nobody has used yet.
    pub(in crate::service::postgres) fn query(database: &str, role: &str) -> String {
        terms(&format!("d.datname = {database} AND a.rolname = {role}"))
    }

    /// What [`Self::query`] answered.
    pub(in crate::service::postgres) fn read(row: &PgRow) -> Result<Self> {
        let wanted = || "failed to look at a new database";
        let fact = Fact::read(row).context(wanted)?;
        Ok(Self {
            database: fact.id()?,
            role: u32::try_from(fact.numbers[0]).context(wanted)?,
            horizon: fact.count(1),
            terms: fact.text,
        })
    }

    /// Whether all that a lease changes is counted: not where counting is off, or its role may turn it off.
    pub(in crate::service::postgres) fn counts_everything(&self) -> bool {
        self.terms.ends_with(",on,f)")
    }

    pub(super) fn holds(&self, terms: &str) -> bool {
        self.terms == terms
    }

    /// The query that ends all other sessions of the database and of the role, and counts those that were there. The view
    /// `pg_stat_activity` would join two catalogs to say the same.
    fn end_others(&self) -> String {
        format!(
            "SELECT 0, count(pg_terminate_backend(pid)), 0::int8, 0::int8, 0::int8, NULL FROM pg_stat_get_activity(NULL)
             WHERE (datid = {} OR usesysid = {}) AND pid <> pg_backend_pid()",
            self.database, self.role
        )
    }
}

/// One row of an answer, whichever statement it is of: a kind, an object id, three numbers, a text.
struct Fact {
    kind: i32,
    id: i64,
    numbers: [i64; 3],
    text: String,
}

impl Fact {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            kind: row.try_get(0)?,
            id: row.try_get(1)?,
            numbers: [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?],
            text: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
        })
    }

    fn id(&self) -> Result<u32> {
        u32::try_from(self.id).context(|| "the server told of an object id that is none")
    }

    fn count(&self, index: usize) -> u64 {
        u64::try_from(self.numbers[index]).unwrap_or_default()
    }
}

/// Runs `lock_out`, after which nobody new gets in, and ends all other sessions; when none is left, all that they counted has been flushed, and is told.
pub(super) async fn after_all_are_gone(
    connection: &mut PgConnection,
    template: &Template,
    contract: &Contract,
    lock_out: &str,
) -> Result<Seen> {
    let look = format!(
        "{}; {}; {}",
        contract.end_others(),
        template.counters,
        terms(&format!("d.oid = {} AND a.oid = {}", contract.database, contract.role))
    );
    let deadline = Instant::now() + ENDS;
    let mut next = format!("{lock_out}; {look}");
    loop {
        let sql = std::mem::replace(&mut next, look.clone());
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await;
        let rows = rows.context(|| "failed to look at a used database")?;
        let mut left = 0;
        let mut seen = Seen::default();
        for row in &rows {
            let fact = Fact::read(row).context(|| "failed to look at a used database")?;
            let counts = match fact.kind {
                0 => {
                    left = fact.id;
                    continue;
                }
                1 => Counts {
                    inserted: fact.count(0),
                    updated: fact.count(1),
                    deleted: fact.count(2),
                    blocks: 0,
                },
                2 => Counts {
                    blocks: fact.count(0),
                    ..Counts::default()
                },
                _ => {
                    seen.terms = fact.text;
                    continue;
                }
            };
            seen.counts.insert(fact.id()?, counts);
        }
        if left == 0 {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!("{left} sessions of a used database don't end")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Counts the rows of catalogs, and those from `horizon` on: if there are as many as in the template, and none is new, then
/// they are the template's.
pub(super) async fn at_catalogs(
    connection: &mut PgConnection,
    template: &Template,
    catalogs: &[u32],
    horizon: u64,
) -> Result<Catalogs> {
    let is_new = is_new(horizon);
    let named = catalogs
        .iter()
        .filter_map(|oid| Some((oid, &template.relation(*oid)?.name)));
    let counts = named.map(|(oid, name)| {
        format!(
            "SELECT 0, {oid}::int8, count(*), count(*) FILTER (WHERE {is_new}), 0::int8, NULL FROM {name}{}",
            but_for_temporary(name)
        )
    });
    let classes = format!(
        "SELECT 1, c.oid::int8, {}, 0::int8, 0::int8, NULL FROM pg_catalog.pg_class AS c WHERE {is_new}",
        fingerprint("c")
    );
    let all: Vec<String> = counts.chain([classes]).collect();
    let rows = sqlx::raw_sql(AssertSqlSafe(all.join(" UNION ALL ")))
        .fetch_all(connection)
        .await;
    let mut seen = Catalogs::default();
    for row in rows.context(|| "failed to look at a used database's catalogs")? {
        let fact = Fact::read(&row).context(|| "failed to look at a used database's catalogs")?;
        if fact.kind == 0 {
            seen.rows.insert(fact.id()?, (fact.numbers[0], fact.numbers[1]));
        } else {
            seen.new_classes.push((fact.id()?, fact.numbers[0]));
        }
    }
    Ok(seen)
}

/// The condition that a row was written by a transaction from `horizon` on. Transaction ids go round: a greater age is an
/// earlier one. Rows of an id that lies too far back to be told count as new.
pub(super) fn is_new(horizon: u64) -> String {
    let xid = horizon & u64::from(u32::MAX);
    format!("pg_catalog.age(xmin) <= pg_catalog.age('{xid}'::xid)")
}
