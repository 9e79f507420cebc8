//! The rows that a template's tables begin with, in the format in which `pg_dump` writes them.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use itest_runtime::{Context, Result};
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, PgConnection};

use super::template::{Relation, Seed};

/// A table that takes more room is cloned, not filled again: that would take longer (13 ms for each megabyte).
const MOST_BYTES: i64 = 2 << 20;
/// All that is kept of one template.
const MOST_IN_ALL: usize = 64 << 20;

/// Columns that COPY takes, and generated ones with their expressions.
const COLUMNS: &str =
    "SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
     string_agg(quote_ident(a.attname) || ' IS DISTINCT FROM (' || pg_get_expr(d.adbin, d.adrelid) || ')', ' OR ')
       FILTER (WHERE a.attgenerated = 's')
     FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped";

/// The tables which can't be filled again without running code of the template's own, or moving a sequence: in a CHECK of the
/// table's or of a domain's, a generated column or an index. Such code may change other tables, whatever it is declared as: a
/// function that may not write can call one that does.
const RUN_CODE: &str = "WITH code AS (
       SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
         LEFT JOIN pg_catalog.pg_class s ON d.refclassid = 'pg_catalog.pg_class'::regclass AND s.oid = d.refobjid AND s.relkind = 'S'
         LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
       WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid >= 16384 OR o.oprcode >= 16384 OR s.oid IS NOT NULL
     ), checks AS (
       SELECT c.conrelid, c.contypid FROM pg_catalog.pg_constraint c
         JOIN code ON code.classid = 'pg_catalog.pg_constraint'::regclass AND code.objid = c.oid WHERE c.contype = 'c'
     )
     SELECT conrelid FROM checks WHERE conrelid <> 0
     UNION SELECT a.attrelid FROM pg_catalog.pg_attribute a
       WHERE a.attnum > 0 AND a.atttypid >= 16384 AND EXISTS (SELECT FROM checks WHERE contypid <> 0)
     UNION SELECT e.adrelid FROM pg_catalog.pg_attrdef e
         JOIN code ON code.classid = 'pg_catalog.pg_attrdef'::regclass AND code.objid = e.oid
         JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum WHERE a.attgenerated <> ''
     UNION SELECT x.indrelid FROM pg_catalog.pg_index x
         JOIN code ON code.classid = 'pg_catalog.pg_class'::regclass AND code.objid = x.indexrelid";

/// Reads the rows of tables that have some; `tables` tells how many bytes they take.
pub(super) async fn read(
    connection: &mut PgConnection,
    relations: &HashMap<u32, Relation>,
    tables: &[(u32, i64)],
) -> Result<Vec<(u32, Seed)>> {
    let run_code: Vec<Oid> = sqlx::query_scalar(RUN_CODE)
        .fetch_all(&mut *connection)
        .await
        .context(|| "failed to look for code that a template's tables run")?;
    let run_code: HashSet<u32> = run_code.into_iter().map(|oid| oid.0).collect();
    let mut seeds = Vec::new();
    let mut kept = 0;
    for &(oid, bytes) in tables {
        let Some(relation) = relations.get(&oid) else { continue };
        let mut seed = Seed::Unknown;
        if bytes <= MOST_BYTES && kept < MOST_IN_ALL && !run_code.contains(&oid) {
            seed = read_table(connection, oid, &relation.name).await?;
        }
        if let Seed::Rows { rows, .. } = &seed {
            kept += rows.len();
        }
        seeds.push((oid, seed));
    }
    Ok(seeds)
}

async fn read_table(connection: &mut PgConnection, oid: u32, name: &str) -> Result<Seed> {
    let wanted = || format!("failed to read the template's rows of {name}");
    let (columns, generated): (Option<String>, Option<String>) = sqlx::query_as(COLUMNS)
        .bind(i64::from(oid))
        .fetch_one(&mut *connection)
        .await
        .context(wanted)?;
    let Some(columns) = columns else {
        return Ok(Seed::Unknown);
    };
    if let Some(generated) = generated {
        // The expression's functions may have changed since a row was written; or its values can't be compared.
        let sql = format!("SELECT EXISTS (SELECT FROM ONLY {name} WHERE {generated})");
        let differ = sqlx::query_scalar(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_one(&mut *connection);
        if differ.await.unwrap_or(true) {
            return Ok(Seed::Unknown);
        }
    }
    let sql = format!("COPY {name} ({columns}) TO STDOUT");
    let copied = connection.copy_out_raw(&sql).await.context(wanted)?;
    let rows = copied
        .try_fold(Vec::new(), |mut rows, chunk| async move {
            rows.extend_from_slice(&chunk);
            Ok(rows)
        })
        .await
        .context(wanted)?;
    Ok(if rows.is_empty() {
        Seed::None
    } else {
        Seed::Rows { columns, rows }
    })
}
