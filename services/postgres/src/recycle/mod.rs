//! Bringing a used database back to its template's exact content, for about a millisecond instead of a new clone's tens.
//!
//! [`Template`] is what is known of a template; [`Contract`] and [`Seen`] what is known of a slice and of what its lease did
//! to it; [`plan`] a pure function of these; [`restore`] carries the plan out. All of it goes over one connection that stays
//! open. Whatever isn't known to be restored exactly leads to [`Plan::Rebuild`].
//!
//! What changed is told by the server's cumulative statistics: backends count the rows that they insert, update and delete in
//! each table, those of rolled back transactions too, and flush what they counted before they are gone. They lie in shared
//! memory from PostgreSQL 15 on. Before, they went through a socket that may lose them: there, nothing is recycled.

mod counts;
mod look;
mod plan;
mod restore;
mod seeds;
mod template;

use std::collections::HashMap;

use counts::Counts;
use itest_runtime::Result;
use look::Seen;
pub(super) use look::{Contract, OPENING};
use plan::Plan;
use sqlx::PgConnection;
pub(super) use template::Template;

/// The first version whose statistics can be trusted.
pub(super) const FIRST_VERSION: i32 = 15;
/// Dropping more than this takes longer than a clone.
const MOST_RELATIONS: usize = 200;
/// A relation with more dead rows than this is vacuumed.
const DEAD: u64 = 2_000;

/// What a database has to be once more.
#[derive(Debug)]
pub(super) struct Baseline {
    pub(super) contract: Contract,
    /// The change counters of all that ever changed here.
    counts: HashMap<u32, Counts>,
    /// Roughly how many dead rows a relation has.
    dead: HashMap<u32, u64>,
    /// Whether our connection has what is run each time prepared.
    is_prepared: bool,
}

impl Baseline {
    /// Of a database that nobody has used yet.
    pub(super) fn of_new(contract: Contract) -> Self {
        Self {
            contract,
            counts: HashMap::new(),
            dead: HashMap::new(),
            is_prepared: false,
        }
    }

    /// Brings the database back, after `lock_out` has locked its lease's role out. False if it can't be: it has to be made
    /// anew.
    pub(super) async fn recycle(
        &mut self,
        connection: &mut PgConnection,
        template: &Template,
        lock_out: &str,
    ) -> Result<bool> {
        let mut seen = if self.is_prepared {
            look::after_all_are_gone(connection, &self.contract, lock_out).await?
        } else {
            let lock_out = format!("{lock_out}; {}", look::prepare(template, &self.contract));
            look::after_all_are_gone(connection, &self.contract, &lock_out).await?
        };
        self.is_prepared = true;
        let mut planned = self.plan(connection, template, &seen).await?;
        if let Plan::Drop(relations) = &planned
            && relations.len() <= MOST_RELATIONS
            && restore::drop_added(connection, relations, self.contract.horizon).await?
        {
            // Only now is it known whether the template's schema is all that is left.
            seen = look::once_more(connection).await?;
            planned = self.plan(connection, template, &seen).await?;
        }
        let restoration = match planned {
            Plan::Restore(restoration) => restoration,
            Plan::Rebuild(why) => {
                tracing::debug!(why, "a database is made again");
                return Ok(false);
            }
            Plan::Look(_) | Plan::Drop(_) => return Ok(false),
        };
        let changed = self.note(&seen);
        let (horizon, own) = restore::restore(connection, template, &restoration, self.contract.horizon).await?;
        if let Some(horizon) = horizon {
            self.contract.horizon = horizon;
        }
        for (relation, (inserted, deleted)) in own.into_iter().filter(|(_, rows)| *rows != (0, 0)) {
            self.counts.entry(relation).or_default().add(inserted, deleted);
            *self.dead.entry(relation).or_default() += deleted;
        }
        self.vacuum(connection, template, &changed).await?;
        Ok(true)
    }

    async fn plan(&self, connection: &mut PgConnection, template: &Template, seen: &Seen) -> Result<Plan> {
        let by_counts = plan::plan(template, &self.contract, &self.counts, seen, None);
        let Plan::Look(catalogs) = &by_counts else {
            return Ok(by_counts);
        };
        let catalogs = look::at_catalogs(connection, template, catalogs, self.contract.horizon).await?;
        Ok(plan::plan(
            template,
            &self.contract,
            &self.counts,
            seen,
            Some(&catalogs),
        ))
    }

    /// Takes what was seen for the new state of the counters. Tells what changed.
    fn note(&mut self, seen: &Seen) -> Vec<u32> {
        let mut changed = Vec::new();
        for (relation, counts) in &seen.counts {
            let before = self.counts.insert(*relation, *counts).unwrap_or_default();
            // Rows that were rolled back are dead, too; those that were inserted and stay will be, soon.
            let dead = counts.rows().saturating_sub(before.rows());
            if dead > 0 {
                *self.dead.entry(*relation).or_default() += dead;
                changed.push(*relation);
            }
        }
        changed
    }

    async fn vacuum(&mut self, connection: &mut PgConnection, template: &Template, changed: &[u32]) -> Result<()> {
        for relation in changed {
            if self.dead.get(relation).is_some_and(|dead| *dead > DEAD) {
                restore::vacuum(connection, template, *relation).await?;
                self.dead.remove(relation);
            }
        }
        Ok(())
    }
}
