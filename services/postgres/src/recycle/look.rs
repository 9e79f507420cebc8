//! What a slice's lease did to it, as the server tells it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use itest_runtime::{Context, Error, Result};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::counts::Counts;
use super::plan::Catalogs;
use super::template::{Template, but_for_temporary, fingerprint};
use crate::admin::is_locked;

/// How often ended sessions are looked for.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a session may take to end after it was told to.
const ENDS: Duration = Duration::from_secs(20);

/// What our own connection to a slice begins with: what `ALTER DATABASE … SET` said of it must not shape what we do, numbers
/// and dates are read and written as `pg_dump` does, counters are read as they are now, not as they were when first asked for,
/// and triggers, rules and foreign keys stay quiet while rows are put back.
pub(crate) const OPENING: &str = "SET search_path = '';
     SELECT count(pg_catalog.set_config(name, boot_val, false)) FROM pg_catalog.pg_settings
       WHERE source IN ('database', 'user', 'database user') AND context IN ('user', 'superuser') AND boot_val IS NOT NULL
         AND name <> 'search_path';
     SET stats_fetch_consistency = none;
     SET default_transaction_read_only = off;
     SET default_transaction_isolation = 'read committed'; SET row_security = off; SET datestyle = iso;
     SET intervalstyle = postgres; SET extra_float_digits = 3; SET xmloption = content; SET client_min_messages = error;
     SET synchronize_seqscans = off; SET bytea_output = hex; SET standard_conforming_strings = on; SET role = none;
     SET session_replication_role = replica";

/// What must hold of a database and its role whoever uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contract {
    database: u32,
    role: u32,
    /// Whatever a lease could do to its database and its role that no catalog within the database shows.
    terms: String,
    /// The first transaction id that a lease's rows can have.
    pub(super) horizon: u64,
}

/// What was seen after a lease.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) terms: String,
    /// Of all relations that ever changed.
    pub(super) counts: HashMap<u32, Counts>,
}

/// The expression of what no template knows of a database `d` and a role `a`.
///
/// When the server's statistics began: after each crash they begin again; prepared transactions, settings, and what the rights of
/// a role or a database's owner allow: its access list, limits, comments, members. Each lease sets another password.
const TERMS: &str = "ROW(
     pg_stat_get_bgwriter_stat_reset_time(), pg_stat_get_db_stat_reset_time(d.oid),
     (SELECT array_agg(x::text) FROM aclexplode(d.datacl) AS x), d.datconnlimit, d.datistemplate, d.datallowconn,
     d.dattablespace, d.datdba, a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb,
     a.rolcanlogin, a.rolreplication, a.rolbypassrls, a.rolvaliduntil,
     (SELECT count(*) FROM pg_prepared_xact() AS p WHERE p.dbid = d.oid),
     (SELECT count(*) FROM pg_catalog.pg_shdescription AS s WHERE s.objoid IN (d.oid, a.oid)),
     (SELECT string_agg(concat(s.setdatabase, ':', s.setrole, s.setconfig), ',' ORDER BY s.setdatabase, s.setrole)
        FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = d.oid OR s.setrole = a.oid),
     (SELECT string_agg(concat(m.roleid, ':', m.member, m.admin_option), ',' ORDER BY m.roleid, m.member)
        FROM pg_catalog.pg_auth_members AS m WHERE m.roleid = a.oid OR m.member = a.oid),
     current_setting('track_counts'), has_parameter_privilege(a.oid, 'track_counts', 'SET'))::text
     FROM pg_catalog.pg_database AS d, pg_catalog.pg_authid AS a";

impl Contract {
    /// The query that reads it, for a database that nobody has used yet.
    pub(crate) fn query(database: &str, role: &str) -> String {
        format!(
            "SELECT d.oid::int8, a.oid::int8, pg_snapshot_xmax(pg_current_snapshot())::text::int8, {TERMS}
             WHERE d.datname = {database} AND a.rolname = {role}"
        )
    }

    /// What [`Self::query`] answered.
    pub(crate) fn read(row: &PgRow) -> Result<Self> {
        let wanted = || "failed to look at a new database";
        let id = |index| {
            let id: i64 = row.try_get(index).context(wanted)?;
            u32::try_from(id).context(wanted)
        };
        let horizon: i64 = row.try_get(2).context(wanted)?;
        Ok(Self {
            database: id(0)?,
            role: id(1)?,
            terms: row.try_get(3).context(wanted)?,
            horizon: horizon.try_into().context(wanted)?,
        })
    }

    /// Whether all that a lease changes is counted: not where counting is off, or its role may turn it off.
    pub(crate) fn counts_everything(&self) -> bool {
        self.terms.ends_with(",on,f)")
    }

    pub(super) fn holds(&self, terms: &str) -> bool {
        self.terms == terms
    }

    /// The query that ends all other sessions of the database and of the role, counts those that were there, and tells the
    /// processes of all sessions. The view `pg_stat_activity` would join two catalogs to say the same.
    fn end_others(&self) -> String {
        format!(
            "SELECT count(CASE WHEN (datid = {} OR usesysid = {}) AND pid <> pg_backend_pid()
               THEN pg_terminate_backend(pid) END), string_agg(pid::text, ' ') FROM pg_stat_get_activity(NULL)",
            self.database, self.role
        )
    }
}

/// The query that tells the processes that are within a transaction. A session that is just beginning is in one from before its
/// role is looked up, and appears among all sessions only afterwards.
const IN_TRANSACTIONS: &str =
    "SELECT string_agg(l.pid::text, ' ') FROM pg_lock_status() AS l WHERE l.locktype = 'virtualxid'";

/// Prepares what [`after_all_are_gone`] runs: planning it each time would take longer than running it.
pub(super) fn prepare(template: &Template, contract: &Contract) -> String {
    format!(
        "PREPARE itest_running AS {IN_TRANSACTIONS}; PREPARE itest_others AS {}; PREPARE itest_seen AS SELECT ({}), {TERMS} WHERE d.oid = {} AND a.oid = {}",
        contract.end_others(),
        template.counters,
        contract.database,
        contract.role
    )
}

/// In this order: a session that is beginning is running, or there already; what a session has counted is there once the
/// session isn't.
const LOOK: &str = "EXECUTE itest_running; EXECUTE itest_others; EXECUTE itest_seen";

/// Runs `lock_out`, after which nobody new gets in, and ends all other sessions; when none is left, all that they counted has
/// been flushed, and is told.
///
/// Who has been let in just before, and isn't yet among the sessions, is waited for. Who holds the role itself, as by changing
/// its own password in a transaction that goes on, is ended first.
pub(super) async fn after_all_are_gone(
    connection: &mut PgConnection,
    contract: &Contract,
    lock_out: &str,
) -> Result<Seen> {
    let deadline = Instant::now() + ENDS;
    let first = format!("{lock_out}; {LOOK}");
    let mut next = first.clone();
    let mut let_in: Option<Vec<u32>> = None;
    loop {
        let sql = std::mem::replace(&mut next, LOOK.to_owned());
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await;
        let rows = match rows {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                let freed = format!("ROLLBACK; {}", contract.end_others());
                let freed = sqlx::raw_sql(AssertSqlSafe(freed)).execute(&mut *connection).await;
                freed.context(wanted)?;
                next.clone_from(&first);
                continue;
            }
            rows => rows.context(wanted)?,
        };
        let [running, others, seen] = rows.as_slice() else {
            return Err(Error::new("a used database told of itself what makes no sense"));
        };
        let left: i64 = others.try_get(0).context(wanted)?;
        let sessions = pids(others.try_get(1).context(wanted)?);
        let running = pids(running.try_get(0).context(wanted)?).into_iter();
        let beginning: Vec<u32> = running.filter(|pid| !sessions.contains(pid)).collect();
        // Whoever begins later is turned away.
        let let_in = let_in.get_or_insert_with(|| beginning.clone());
        let_in.retain(|pid| beginning.contains(pid));
        if left == 0 && let_in.is_empty() {
            return read_seen(seen);
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "{left} sessions of a used database don't end, and {} don't begin",
                let_in.len()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn pids(list: Option<&str>) -> Vec<u32> {
    let pids = list.unwrap_or_default().split(' ');
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

/// What the statistics say once more, after what we did ourselves.
pub(super) async fn once_more(connection: &mut PgConnection) -> Result<Seen> {
    let row = sqlx::raw_sql("EXECUTE itest_seen").fetch_one(connection).await;
    read_seen(&row.context(wanted)?)
}

fn read_seen(row: &PgRow) -> Result<Seen> {
    let counts: Option<&str> = row.try_get(0).context(wanted)?;
    Ok(Seen {
        counts: read_counts(counts.unwrap_or_default())?,
        terms: row.try_get(1).context(wanted)?,
    })
}

fn wanted() -> &'static str {
    "failed to look at a used database"
}

/// Of each relation its object id, then the numbers of [`Counts`] in their order.
fn read_counts(text: &str) -> Result<HashMap<u32, Counts>> {
    let entries = text.split(',').filter(|entry| !entry.is_empty());
    let read = entries.map(|entry| {
        let numbers: Vec<u64> = entry.split(' ').filter_map(|number| number.parse().ok()).collect();
        let read = match numbers[..] {
            [oid, inserted, updated, deleted, blocks, live, committed, estimated] => {
                let counts = Counts {
                    inserted,
                    updated,
                    deleted,
                    blocks,
                    live: i64::try_from(live).ok(),
                    committed: Some(committed),
                    estimated,
                };
                u32::try_from(oid).ok().map(|oid| (oid, counts))
            }
            _ => None,
        };
        read.ok_or_else(|| Error::new(format!("the server told of change counters that are none: {entry}")))
    });
    read.collect()
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
    let wanted = || "failed to look at a used database's catalogs";
    let named = catalogs
        .iter()
        .filter_map(|oid| Some((oid, &template.relation(*oid)?.name)));
    let counts = named.map(|(oid, name)| {
        format!(
            "SELECT 'rows', {oid}::int8, count(*), count(*) FILTER (WHERE {is_new}) FROM {name}{}",
            but_for_temporary(name)
        )
    });
    let classes = format!(
        "SELECT 'class', c.oid::int8, {}, 0::int8 FROM pg_catalog.pg_class AS c WHERE {is_new}",
        fingerprint("c")
    );
    let all: Vec<String> = counts.chain([classes]).collect();
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(all.join(" UNION ALL ")))
        .persistent(false)
        .fetch_all(connection)
        .await
        .context(wanted)?;
    let mut seen = Catalogs::default();
    for (kind, oid, first, second) in rows {
        let oid = u32::try_from(oid).context(wanted)?;
        if kind == "rows" {
            seen.rows.insert(oid, (first, second));
        } else {
            seen.new_classes.push((oid, first));
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
