//! Carrying a plan out.

use sqlx::{AssertSqlSafe, Either, PgConnection, Row};

use futures_util::TryStreamExt;

use super::look::{Counts, is_new};
use super::plan::{How, Restoration};
use super::template::{Kind, Seed, Template, set_sequences};
use crate::error::{Context, Error, Result};

/// Tells the transaction. What was counted is flushed when the server says that it is done with this message: before anybody
/// looks again.
const LAST: &str = "SELECT pg_catalog.pg_current_xact_id()::text::int8, pg_catalog.pg_stat_force_next_flush()";

/// What we changed ourselves.
type Own = Vec<(u32, Counts)>;

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
        return Ok((horizon, own));
    }
    statements.insert(0, (None, "BEGIN".to_owned()));
    run(connection, &statements, &[], &mut own).await?;
    for (oid, sql, rows) in seeds {
        let wanted = || format!("failed to put rows back: {sql}");
        let mut copy = connection.copy_in_raw(&sql).await.context(wanted)?;
        copy.send(rows.as_slice()).await.context(wanted)?;
        let inserted = copy.finish().await.context(wanted)?;
        own.push((
            oid,
            Counts {
                inserted,
                ..Counts::default()
            },
        ));
    }
    let horizon = run(connection, &[], &[LAST, "COMMIT"], &mut own).await?;
    Ok((horizon, own))
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
                    own.push((
                        *oid,
                        Counts {
                            deleted: done.rows_affected(),
                            ..Counts::default()
                        },
                    ));
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
