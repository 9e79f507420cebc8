//! Carrying a plan out.

use futures_util::TryStreamExt;
use itest_runtime::{Context, Error, Result};
use sqlx::{AssertSqlSafe, Either, PgConnection, Row};

use super::look::is_new;
use super::plan::{How, Restoration};
use super::template::{Kind, Seed, Template, set_sequences};

/// Tells the transaction. What was counted is flushed when the server says that it is done with this message: before anybody
/// looks again.
const LAST: &str = "SELECT pg_catalog.pg_current_xact_id()::text::int8, pg_catalog.pg_stat_force_next_flush()";

/// Of each relation how many rows we inserted and deleted ourselves.
type Own = Vec<(u32, (u64, u64))>;

/// Brings a slice back. Tells the horizon from now on, if it moved, and by how much its counters did.
pub(super) async fn restore(
    connection: &mut PgConnection,
    template: &Template,
    restoration: &Restoration,
    horizon: u64,
) -> Result<(Option<u64>, Own)> {
    if *restoration == Restoration::default() {
        return Ok((None, Own::new()));
    }
    let is_new = is_new(horizon);
    let mut own = Own::new();
    let mut statements = Vec::new();
    for (oid, how) in &restoration.tables {
        let name = name(template, *oid)?;
        let condition = match how {
            How::DeleteNew => format!(" WHERE {is_new}"),
            How::DeleteLast { page, .. } => format!(" WHERE ctid >= '({page},0)' AND {is_new}"),
            How::Refill => String::new(),
        };
        statements.push((Some(*oid), format!("DELETE FROM ONLY {name}{condition}")));
    }
    for oid in &restoration.statistics {
        statements.push((
            Some(*oid),
            format!("DELETE FROM {} WHERE {is_new}", name(template, *oid)?),
        ));
    }
    let states: Vec<_> = restoration
        .sequences
        .iter()
        .filter_map(|oid| match template.relation(*oid)?.kind {
            Kind::Sequence { last, called } => Some((*oid, last, called)),
            _ => None,
        })
        .collect();
    if !states.is_empty() {
        statements.push((None, set_sequences(&states)));
    }
    let seeds = restoration.tables.iter().filter_map(|(oid, how)| {
        let relation = template.relation(*oid)?;
        match (&relation.kind, how) {
            (
                Kind::Table {
                    seed: Seed::Rows { columns, rows },
                    ..
                },
                How::Refill,
            ) => Some((*oid, format!("COPY {} ({columns}) FROM STDIN", relation.name), rows)),
            _ => None,
        }
    });
    let seeds: Vec<_> = seeds.collect();

    // One message is one transaction.
    if seeds.is_empty() {
        let horizon = run(connection, &statements, &[LAST], &mut own).await?;
        let others = delete_elsewhere(connection, template, restoration, &is_new, &mut own).await?;
        return Ok((others.or(horizon), own));
    }
    statements.insert(0, (None, "BEGIN".to_owned()));
    run(connection, &statements, &[], &mut own).await?;
    for (oid, sql, rows) in seeds {
        let wanted = || format!("failed to put rows back: {sql}");
        let mut copy = connection.copy_in_raw(&sql).await.context(wanted)?;
        copy.send(rows.as_slice()).await.context(wanted)?;
        let inserted = copy.finish().await.context(wanted)?;
        own.push((oid, (inserted, 0)));
    }
    let horizon = run(connection, &[], &[LAST, "COMMIT"], &mut own).await?;
    let others = delete_elsewhere(connection, template, restoration, &is_new, &mut own).await?;
    Ok((others.or(horizon), own))
}

/// Where new rows weren't all in a table's last pages, deletes them wherever they are. Tells the horizon, if it moved.
async fn delete_elsewhere(
    connection: &mut PgConnection,
    template: &Template,
    restoration: &Restoration,
    is_new: &str,
    own: &mut Own,
) -> Result<Option<u64>> {
    let mut statements = Vec::new();
    for (oid, how) in &restoration.tables {
        let How::DeleteLast { rows, .. } = how else { continue };
        let deleted: u64 = own
            .iter()
            .filter(|(of, _)| of == oid)
            .map(|(_, (_, deleted))| deleted)
            .sum();
        if deleted != *rows {
            let name = name(template, *oid)?;
            statements.push((Some(*oid), format!("DELETE FROM ONLY {name} WHERE {is_new}")));
        }
    }
    if statements.is_empty() {
        return Ok(None);
    }
    run(connection, &statements, &[LAST], own).await
}

/// Drops what came to the schema. Whether that was all is for a look at the catalogs to tell: false if it can't be, and also if
/// the template has code that would run then.
pub(super) async fn drop_added(connection: &mut PgConnection, relations: &[u32], horizon: u64) -> Result<bool> {
    let relations: Vec<String> = relations.iter().map(u32::to_string).collect();
    let query = format!(
        "WITH added AS (
           SELECT 'pg_catalog.pg_class'::regclass AS classid, id AS objid FROM unnest('{{{relations}}}'::oid[]) AS u(id)
           UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE {is_new}
           UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE {is_new}
           UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, oid FROM pg_catalog.pg_namespace WHERE {is_new} AND {is_ordinary}
         )
         SELECT string_agg(format('DROP %s IF EXISTS %s CASCADE', i.type, i.identity), '; ')
         FROM added AS a, pg_catalog.pg_identify_object(a.classid, a.objid, 0) AS i
         WHERE i.type IN ('table', 'view', 'materialized view', 'sequence', 'foreign table', 'type', 'function', 'procedure',
             'aggregate', 'schema')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
             WHERE d.classid = a.classid AND d.objid = a.objid AND d.deptype IN ('a', 'i', 'e', 'P', 'S'))
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger AS t WHERE t.evtenabled IN ('A', 'R'))",
        relations = relations.join(","),
        is_new = is_new(horizon),
        is_ordinary = super::template::IS_ORDINARY,
    );
    let listed = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(&mut *connection).await;
    let drops: Option<String> = listed
        .and_then(|row| row.try_get(0))
        .context(|| "failed to list what came to a used database")?;
    let Some(drops) = drops else { return Ok(false) };
    // What can't be dropped so is dropped with the database.
    let all = format!("{drops}; SELECT pg_catalog.pg_stat_force_next_flush()");
    let dropped = sqlx::raw_sql(AssertSqlSafe(all)).execute(connection).await;
    if let Err(error) = &dropped {
        tracing::debug!(%error, "what came to a used database can't be dropped");
    }
    Ok(dropped.is_ok())
}

/// Runs all in one message. Adds what `statements` deleted, and tells the first transaction id after the one that `last` told.
async fn run(
    connection: &mut PgConnection,
    statements: &[(Option<u32>, String)],
    last: &[&str],
    own: &mut Own,
) -> Result<Option<u64>> {
    let all: Vec<&str> = statements
        .iter()
        .map(|(_, sql)| sql.as_str())
        .chain(last.iter().copied())
        .collect();
    let mut answered = 0;
    let mut id = None;
    let mut answers = sqlx::raw_sql(AssertSqlSafe(all.join("; "))).fetch_many(connection);
    while let Some(answer) = answers
        .try_next()
        .await
        .context(|| "failed to restore a used database")?
    {
        match answer {
            // Each statement is answered once.
            Either::Left(done) => {
                if let Some((Some(oid), _)) = statements.get(answered) {
                    own.push((*oid, (0, done.rows_affected())));
                }
                answered += 1;
            }
            Either::Right(row) if answered == statements.len() => {
                id = row.try_get::<i64, _>(0).ok().and_then(|id| u64::try_from(id).ok());
            }
            Either::Right(_) => {}
        }
    }
    Ok(id.map(|id| id + 1))
}

/// Frees the room that dead rows take. Only for our own connection's eyes: nobody else is there.
pub(super) async fn vacuum(connection: &mut PgConnection, template: &Template, oid: u32) -> Result<()> {
    let sql = format!("VACUUM {}", name(template, oid)?);
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
        .context(|| "failed to vacuum a used database")
}

fn name(template: &Template, oid: u32) -> Result<&str> {
    let relation = template.relation(oid);
    relation
        .map(|relation| relation.name.as_str())
        .ok_or_else(|| Error::new("a relation is not the template's"))
}
