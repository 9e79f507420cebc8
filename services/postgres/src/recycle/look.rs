//! What a slice's lease did to it, as the server tells it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use itest_runtime::{Context, Error, Result};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

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

/// The state of one relation's counters, or by how much they went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    /// Of sequences alone.
    pub(super) blocks: u64,
    /// The rows that are there, in the server's opinion: it counts what is committed, from any number on. None where that isn't
    /// known.
    live: Option<i64>,
    /// How much of what was inserted, updated and deleted was committed. None where that isn't known.
    committed: Option<u64>,
    /// How often VACUUM or ANALYZE gave the two another number.
    estimated: u64,
}

/// Of a relation in a new database.
impl Default for Counts {
    fn default() -> Self {
        Self {
            inserted: 0,
            updated: 0,
            deleted: 0,
            blocks: 0,
            live: Some(0),
            committed: Some(0),
            estimated: 0,
        }
    }
}

/// What stayed of all that was done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stayed {
    Nothing,
    /// New rows, and how many, if that is known.
    NewRows(Option<u64>),
    Changes,
}

impl Counts {
    pub(super) fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    /// Whether anything in it changed.
    pub(super) fn is_change(&self) -> bool {
        self.rows() + self.blocks > 0
    }

    /// What of it was committed.
    ///
    /// Each row that is inserted makes one live row more, each that is updated none, each that is deleted one less. So if there
    /// are as many more live rows as changes that were committed, all of these were inserted rows.
    pub(super) fn stayed(&self) -> Stayed {
        let known = self.committed.filter(|_| self.estimated == 0);
        let live = self.live.and_then(|live| u64::try_from(live).ok());
        match known {
            Some(0) => Stayed::Nothing,
            Some(committed) if live == known && committed <= self.inserted => Stayed::NewRows(known),
            _ if self.updated + self.deleted == 0 => Stayed::NewRows(None),
            _ => Stayed::Changes,
        }
    }

    /// How far they went since; none if they went back.
    pub(super) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            inserted: self.inserted.checked_sub(before.inserted)?,
            updated: self.updated.checked_sub(before.updated)?,
            deleted: self.deleted.checked_sub(before.deleted)?,
            blocks: self.blocks.checked_sub(before.blocks)?,
            live: self.live.zip(before.live).map(|(now, before)| now - before),
            // ANALYZE starts over.
            committed: self
                .committed
                .zip(before.committed)
                .and_then(|(now, before)| now.checked_sub(before)),
            estimated: self.estimated.checked_sub(before.estimated)?,
        })
    }

    /// Adds rows that were inserted and deleted, and committed.
    pub(super) fn add(&mut self, inserted: u64, deleted: u64) {
        self.inserted += inserted;
        self.deleted += deleted;
        self.committed = self.committed.map(|committed| committed + inserted + deleted);
        // The server's own number never goes below zero. What that makes of both at once is not for us to guess.
        let left = self.live.map(|live| (live - deleted.cast_signed()).max(0));
        self.live = left.filter(|_| inserted == 0);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: [u64; 3], live: Option<i64>, committed: Option<u64>, estimated: u64) -> Counts {
        let [inserted, updated, deleted] = rows;
        Counts {
            inserted,
            updated,
            deleted,
            blocks: 0,
            live,
            committed,
            estimated,
        }
    }

    #[test]
    fn what_stayed_is_told_by_what_was_committed() {
        for (of, stayed) in [
            (counts([5, 4, 3], Some(0), Some(0), 0), Stayed::Nothing),
            (counts([5, 4, 0], Some(2), Some(2), 0), Stayed::NewRows(Some(2))),
            // Five came, and three others went.
            (counts([5, 0, 3], Some(2), Some(8), 0), Stayed::Changes),
            (counts([5, 1, 0], Some(5), Some(6), 0), Stayed::Changes),
            // More live rows than came can't be.
            (counts([1, 2, 0], Some(2), Some(2), 0), Stayed::Changes),
            (counts([5, 1, 0], None, Some(5), 0), Stayed::Changes),
            (counts([5, 0, 0], None, Some(5), 0), Stayed::NewRows(None)),
            // ANALYZE sets to zero what was committed, and either makes live rows a guess.
            (counts([5, 1, 0], Some(0), Some(0), 1), Stayed::Changes),
            (counts([5, 0, 0], Some(0), Some(0), 1), Stayed::NewRows(None)),
            (counts([5, 1, 0], Some(5), None, 0), Stayed::Changes),
        ] {
            assert_eq!(of.stayed(), stayed, "{of:?}");
        }
    }

    #[test]
    fn what_we_did_ourselves_is_no_change_the_next_time() {
        let mut own = counts([7, 0, 0], Some(7), Some(7), 0);
        own.add(0, 7);
        let after = counts([9, 0, 7], Some(2), Some(16), 0);
        assert_eq!(
            after.since(own).map(|since| since.stayed()),
            Some(Stayed::NewRows(Some(2)))
        );
        // It has fewer live rows, in the server's opinion, than were there: what we make of them is not known.
        own.add(30, 30);
        let after = counts([39, 3, 37], Some(5), Some(79), 0);
        assert_eq!(after.since(own).map(|since| since.stayed()), Some(Stayed::Changes));
        assert_eq!(Counts::default().since(own), None, "they went back");
    }
}
