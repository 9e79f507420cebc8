//! What is known of a template: read once, in its first clone. Clones have its object ids, and its rows' transaction ids.

use std::collections::HashMap;
use std::fmt::Write as _;

use itest_runtime::{Context, Result};
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, PgConnection};

use super::seeds;

/// What is known of a template.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    pub(super) relations: HashMap<u32, Relation>,
    /// A fingerprint of each row of `pg_class`, without what TRUNCATE, VACUUM and ANALYZE change.
    pub(super) classes: HashMap<u32, i64>,
    /// The query that reads the counters of all relations that ever changed, as one text: decoding rows costs more.
    pub(super) counters: String,
    /// The statement that puts all sequences back.
    sequences: Option<String>,
}

/// What has rows that a lease could change.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// With its schema, quoted.
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A table of the system's own in this database.
    Catalog {
        rows: i64,
    },
    Table {
        seed: Seed,
        /// Of a large one, in how many pages its rows are.
        pages: u32,
    },
    Sequence {
        last: i64,
        called: bool,
    },
    /// A change of it isn't undone: a materialized view, or a table whose triggers fire whatever one does.
    Fixed,
}

/// A table's rows.
#[derive(Debug, Clone)]
pub(super) enum Seed {
    None,
    /// In the format of COPY, for these columns.
    Rows {
        columns: String,
        rows: Vec<u8>,
    },
    /// More than is worth being kept, or nothing that can be put back exactly.
    Unknown,
}

/// From how many bytes on a table is large: reading all of it to find a few rows takes time that matters.
const LARGE: i64 = 1 << 20;
/// What a page has where nobody has built the server otherwise. If somebody has, more is read than has to be.
const PAGE: i64 = 8192;

/// Columns of `pg_class` that change without any change of what a table is or holds.
pub(super) const VOLATILE: &str =
    "'{relfilenode,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relowner,relacl}'::text[]";

/// A row of `pg_class` that could matter. A relation with an object id below 16384 came with the server.
const RELATIONS: &str = "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
     CASE WHEN n.nspname = 'pg_catalog' THEN 'catalog' WHEN c.oid < 16384 OR c.relkind = 'm' THEN 'fixed'
          WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled IN ('A', 'R'))
            OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_enabled IN ('A', 'R')) THEN 'fixed'
          ELSE 'own' END,
     CASE WHEN c.relkind = 'r' AND c.oid >= 16384 THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm', 'S') AND NOT c.relisshared AND c.relpersistence <> 't' ORDER BY c.oid";

impl Template {
    /// Reads it in the template or a clone, on a connection that has been prepared by [`super::OPENING`], while nobody else is there.
    pub(crate) async fn read(connection: &mut PgConnection) -> Result<Self> {
        let wanted = || "failed to look at a template";
        // Reading is no change.
        let quiet = sqlx::raw_sql("SET track_counts = off").execute(&mut *connection).await;
        quiet.context(wanted)?;
        let rows: Vec<(Oid, String, String, String, i64)> = sqlx::query_as(RELATIONS)
            .fetch_all(&mut *connection)
            .await
            .context(wanted)?;
        let mut relations = HashMap::new();
        let mut catalogs = Vec::new();
        let mut sequences = Vec::new();
        let mut tables = Vec::new();
        for (oid, name, kind, whose, bytes) in rows {
            let kind = match (kind.as_str(), whose.as_str()) {
                ("S", _) => {
                    sequences.push((oid.0, name.clone()));
                    Kind::Sequence { last: 1, called: false }
                }
                (_, "catalog") => {
                    catalogs.push((oid.0, name.clone()));
                    Kind::Catalog { rows: 0 }
                }
                (_, "own") => {
                    if bytes > 0 {
                        tables.push((oid.0, bytes));
                    }
                    let pages = if bytes < LARGE { 0 } else { bytes / PAGE };
                    Kind::Table {
                        seed: Seed::None,
                        pages: u32::try_from(pages).unwrap_or_default(),
                    }
                }
                _ => Kind::Fixed,
            };
            relations.insert(oid.0, Relation { name, kind });
        }
        for (oid, rows) in count(connection, &catalogs).await? {
            set(&mut relations, oid, Kind::Catalog { rows });
        }
        let states = stand(connection, &sequences).await?;
        for &(oid, last, called) in &states {
            set(&mut relations, oid, Kind::Sequence { last, called });
        }
        for (oid, seed) in seeds::read(connection, &relations, &tables).await? {
            if let Some(Relation {
                kind: Kind::Table { seed: own, .. },
                ..
            }) = relations.get_mut(&oid)
            {
                *own = seed;
            }
        }
        let classes: Vec<(Oid, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT c.oid, {} FROM pg_catalog.pg_class c",
            fingerprint("c")
        )))
        .fetch_all(&mut *connection)
        .await
        .context(wanted)?;
        let heard = sqlx::raw_sql("RESET track_counts").execute(&mut *connection).await;
        heard.context(wanted)?;
        Ok(Self {
            counters: counters(&relations),
            sequences: (!states.is_empty()).then(|| set_sequences(&states)),
            classes: classes.into_iter().map(|(oid, print)| (oid.0, print)).collect(),
            relations,
        })
    }

    /// Reads no more than where sequences stand: all that a rollback leaves.
    pub(crate) async fn read_sequences(connection: &mut PgConnection) -> Result<Self> {
        let sequences: Vec<(Oid, String)> = sqlx::query_as(
            "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY c.oid",
        )
        .fetch_all(&mut *connection)
        .await
        .context(|| "failed to list the template's sequences")?;
        let sequences: Vec<_> = sequences.into_iter().map(|(oid, name)| (oid.0, name)).collect();
        let states = stand(connection, &sequences).await?;
        Ok(Self {
            sequences: (!states.is_empty()).then(|| set_sequences(&states)),
            ..Self::default()
        })
    }

    /// The statement that puts all sequences back, if there are any.
    pub(crate) fn restore_sequences(&self) -> Option<&str> {
        self.sequences.as_deref()
    }

    pub(super) fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.get(&oid)
    }
}

/// The expression of the fingerprint in [`Template::classes`]. Each clone has an owner of its own, and it is the same for all
/// that it is.
pub(super) fn fingerprint(class: &str) -> String {
    let owner = "(SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
    let role = |id: &str| format!("CASE WHEN {id} = {owner} THEN 'owner' ELSE {id}::text END");
    format!(
        "pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', pg_catalog.to_jsonb({class}) - {VOLATILE}, {whose},
           {class}.relacl IS NULL, (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', {by}, {to}, x.privilege_type, x.is_grantable), ',')
                                    FROM pg_catalog.aclexplode({class}.relacl) AS x)), 0)",
        whose = role(&format!("{class}.relowner")),
        by = role("x.grantor"),
        to = role("x.grantee"),
    )
}

fn set(relations: &mut HashMap<u32, Relation>, oid: u32, kind: Kind) {
    if let Some(relation) = relations.get_mut(&oid) {
        relation.kind = kind;
    }
}

/// The rows of catalogs, as [`super::look::at_catalogs`] counts them.
async fn count(connection: &mut PgConnection, catalogs: &[(u32, String)]) -> Result<Vec<(u32, i64)>> {
    let counts: Vec<String> = catalogs
        .iter()
        .map(|(oid, name)| format!("SELECT {oid}::int8, count(*) FROM {name}{}", but_for_temporary(name)))
        .collect();
    let counts: Vec<(i64, i64)> = sqlx::query_as(AssertSqlSafe(counts.join(" UNION ALL ")))
        .persistent(false)
        .fetch_all(connection)
        .await
        .context(|| "failed to look at a template's catalogs")?;
    let known = counts
        .into_iter()
        .filter_map(|(oid, rows)| Some((u32::try_from(oid).ok()?, rows)));
    Ok(known.collect())
}

/// A schema for temporary tables stays when they are gone; it holds nothing.
pub(super) fn but_for_temporary(catalog: &str) -> String {
    if catalog == "pg_catalog.pg_namespace" {
        format!(" WHERE {IS_ORDINARY}")
    } else {
        String::new()
    }
}

/// The condition that a schema isn't one for temporary tables.
pub(super) const IS_ORDINARY: &str = r"nspname !~ '^pg_(toast_)?temp_\d+$'";

/// How many sequences one statement reads: the time to plan it grows with the square of their number.
const AT_ONCE: usize = 100;

/// Where sequences stand. Each is read like a table of one row.
async fn stand(connection: &mut PgConnection, sequences: &[(u32, String)]) -> Result<Vec<(u32, i64, bool)>> {
    let mut known = Vec::new();
    for some in sequences.chunks(AT_ONCE) {
        let states: Vec<String> = some
            .iter()
            .map(|(oid, name)| format!("SELECT {oid}::int8, last_value, is_called FROM {name}"))
            .collect();
        let states: Vec<(i64, i64, bool)> = sqlx::query_as(AssertSqlSafe(states.join(" UNION ALL ")))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .context(|| "failed to read sequences")?;
        known.extend(
            states
                .into_iter()
                .filter_map(|(oid, last, called)| Some((u32::try_from(oid).ok()?, last, called))),
        );
    }
    Ok(known)
}

/// The statement that sets sequences. In one list: many selects in one take long to plan.
pub(super) fn set_sequences(states: &[(u32, i64, bool)]) -> String {
    let states: Vec<String> = states
        .iter()
        .map(|(oid, last, called)| format!("({oid}::oid,'{last}'::int8,{called})"))
        .collect();
    format!(
        "SELECT count(pg_catalog.setval(s.id::regclass, s.last, s.called)) FROM (VALUES {}) AS s(id, last, called)",
        states.join(",")
    )
}

/// Sequences have no counters of rows; whoever calls `nextval` or `setval` reads their block, which is counted.
fn counters(relations: &HashMap<u32, Relation>) -> String {
    let listed = |wanted: fn(&Kind) -> bool| {
        let mut oids: Vec<u32> = relations
            .iter()
            .filter(|(_, of)| wanted(&of.kind))
            .map(|(oid, _)| *oid)
            .collect();
        oids.sort_unstable();
        let mut list = String::new();
        for oid in oids {
            let separator = if list.is_empty() { "" } else { "," };
            let _ = write!(list, "{separator}{oid}");
        }
        list
    };
    format!(
        "SELECT string_agg(concat_ws(' ', r.id, r.ins, r.upd, r.del, r.blocks, pg_stat_get_live_tuples(r.id),
             pg_stat_get_mod_since_analyze(r.id), pg_stat_get_vacuum_count(r.id) + pg_stat_get_autovacuum_count(r.id)
               + pg_stat_get_analyze_count(r.id) + pg_stat_get_autoanalyze_count(r.id)), ',')
         FROM (
           SELECT id, pg_stat_get_tuples_inserted(id) AS ins, pg_stat_get_tuples_updated(id) AS upd,
             pg_stat_get_tuples_deleted(id) AS del, 0 AS blocks FROM unnest('{{{rows}}}'::oid[]) AS u(id)
           UNION ALL
           SELECT id, 0, 0, 0, pg_stat_get_blocks_fetched(id) FROM unnest('{{{sequences}}}'::oid[]) AS u(id) OFFSET 0
         ) AS r WHERE r.ins + r.upd + r.del + r.blocks <> 0",
        rows = listed(|kind| !matches!(kind, Kind::Sequence { .. })),
        sequences = listed(|kind| matches!(kind, Kind::Sequence { .. })),
    )
}
