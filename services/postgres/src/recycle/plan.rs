//! What has to be done: a pure function of what is known of the template and what was seen of the slice.

use std::collections::HashMap;

use super::counts::{Counts, Stayed};
use super::look::{Contract, Seen};
use super::template::{Kind, Seed, Template};

/// A lease that inserted more rows than this leaves what a clone replaces sooner.
const MOST_ROWS: u64 = 50_000;
/// What ANALYZE fills; deleting it makes the planner guess, as it does for the template.
const STATISTICS: [&str; 2] = ["pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data"];
const CLASSES: &str = "pg_catalog.pg_class";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Counters alone don't tell whether these catalogs changed: rows may have come and gone.
    Look(Vec<u32>),
    /// Nothing of the template's schema changed, but more came; these are the relations among it.
    Drop(Vec<u32>),
    /// Why nothing less will do.
    Rebuild(String),
    Restore(Restoration),
}

/// What brings a slice back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Restoration {
    pub(super) tables: Vec<(u32, How)>,
    pub(super) sequences: Vec<u32>,
    /// Catalogs whose new rows go.
    pub(super) statistics: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Nothing but new rows came: delete those.
    DeleteNew,
    /// So many new rows came to a large table. Delete them where they usually are, from this page on; elsewhere, if those
    /// aren't all.
    DeleteLast { page: u32, rows: u64 },
    /// Delete everything, and fill it from the template's rows.
    Refill,
}

/// What was seen in catalogs that changed.
#[derive(Debug, Default)]
pub(super) struct Catalogs {
    /// How many rows each has, and how many of them are new.
    pub(super) rows: HashMap<u32, (i64, i64)>,
    /// The new rows of `pg_class`: whose, and what of them must not change.
    pub(super) new_classes: Vec<(u32, i64)>,
}

pub(super) fn plan(
    template: &Template,
    contract: &Contract,
    before: &HashMap<u32, Counts>,
    seen: &Seen,
    catalogs: Option<&Catalogs>,
) -> Plan {
    if !contract.holds(&seen.terms) {
        return Plan::Rebuild("a setting, right or property of the database or its role changed".to_owned());
    }
    let mut changed = Vec::new();
    for (oid, now) in &seen.counts {
        let Some(since) = now.since(before.get(oid).copied().unwrap_or_default()) else {
            return Plan::Rebuild("change counters went back".to_owned());
        };
        if since.is_change() {
            changed.push((*oid, since));
        }
    }
    if before.keys().any(|oid| !seen.counts.contains_key(oid)) {
        return Plan::Rebuild("change counters are gone".to_owned());
    }
    changed.sort_unstable_by_key(|(oid, _)| *oid);

    let suspects: Vec<u32> = changed
        .iter()
        .filter(|(_, since)| since.stayed() != Stayed::Nothing)
        .map(|(oid, _)| *oid)
        .filter(|oid| matches!(kind(template, *oid), Some(Kind::Catalog { .. })))
        .collect();
    let mut restoration = Restoration::default();
    let mut rewritten = Vec::new();
    if !suspects.is_empty() {
        let Some(catalogs) = catalogs else {
            return Plan::Look(suspects);
        };
        let mut has_more = false;
        for oid in suspects {
            match verdict(template, oid, catalogs) {
                Catalog::Unchanged => {}
                Catalog::OnlyMore => has_more = true,
                Catalog::OnlyStatistics => restoration.statistics.push(oid),
                Catalog::Changed => return Plan::Rebuild(format!("{} changed", name(template, oid))),
            }
        }
        if has_more {
            return Plan::Drop(added(template, catalogs).collect());
        }
        rewritten.extend(catalogs.new_classes.iter().map(|(oid, _)| *oid));
    }

    for (oid, since) in &changed {
        let how = match kind(template, *oid) {
            Some(Kind::Catalog { .. }) => continue,
            Some(Kind::Sequence { .. }) => {
                restoration.sequences.push(*oid);
                continue;
            }
            Some(Kind::Table { .. }) if since.rows() > MOST_ROWS => {
                return Plan::Rebuild(format!("too much changed in {}", name(template, *oid)));
            }
            Some(Kind::Table { .. }) if rewritten.contains(oid) => continue,
            Some(Kind::Fixed) if since.stayed() == Stayed::Nothing => continue,
            Some(Kind::Table { seed, pages }) => match (since.stayed(), seed) {
                (Stayed::Nothing, _) => continue,
                (Stayed::NewRows(Some(rows)), Seed::Rows { .. } | Seed::Unknown) if *pages > 0 => {
                    How::DeleteLast { page: pages - 1, rows }
                }
                (Stayed::NewRows(_), Seed::Rows { .. } | Seed::Unknown) => How::DeleteNew,
                (Stayed::NewRows(_) | Stayed::Changes, Seed::None) | (Stayed::Changes, Seed::Rows { .. }) => {
                    How::Refill
                }
                (Stayed::Changes, Seed::Unknown) => {
                    return Plan::Rebuild(format!("the rows of {} are not kept", name(template, *oid)));
                }
            },
            Some(Kind::Fixed) | None => return Plan::Rebuild(format!("{} changed", name(template, *oid))),
        };
        restoration.tables.push((*oid, how));
    }
    for oid in rewritten {
        match kind(template, oid) {
            Some(
                Kind::Table {
                    seed: Seed::Unknown, ..
                }
                | Kind::Fixed,
            ) => {
                return Plan::Rebuild(format!("{} was rewritten", name(template, oid)));
            }
            Some(Kind::Table { .. }) => restoration.tables.push((oid, How::Refill)),
            Some(Kind::Sequence { .. }) if !restoration.sequences.contains(&oid) => restoration.sequences.push(oid),
            // Indexes, and what a table keeps aside, go with their table.
            Some(Kind::Sequence { .. } | Kind::Catalog { .. }) | None => {}
        }
    }
    restoration.tables.sort_unstable_by_key(|(oid, _)| *oid);
    Plan::Restore(restoration)
}

/// The relations that the template doesn't have.
fn added(template: &Template, seen: &Catalogs) -> impl Iterator<Item = u32> {
    let classes = seen.new_classes.iter().map(|(class, _)| *class);
    classes.filter(|class| !template.classes.contains_key(class))
}

enum Catalog {
    Unchanged,
    /// The template's rows are all there, and others besides.
    OnlyMore,
    OnlyStatistics,
    Changed,
}

fn verdict(template: &Template, oid: u32, seen: &Catalogs) -> Catalog {
    let (Some(relation), Some((rows, new))) = (template.relation(oid), seen.rows.get(&oid)) else {
        return Catalog::Changed;
    };
    let Kind::Catalog { rows: expected } = relation.kind else {
        return Catalog::Changed;
    };
    if STATISTICS.contains(&relation.name.as_str()) && rows - new == expected {
        return if *new == 0 {
            Catalog::Unchanged
        } else {
            Catalog::OnlyStatistics
        };
    }
    let mut more = *new;
    if relation.name == CLASSES {
        // What was rewritten has a new row in the place of the old one.
        let only_rewritten = seen
            .new_classes
            .iter()
            .filter_map(|(class, print)| Some((template.classes.get(class)?, print)))
            .all(|(before, now)| before == now);
        if !only_rewritten {
            return Catalog::Changed;
        }
        more = added(template, seen).count().try_into().unwrap_or(i64::MAX);
    }
    if rows - more != expected {
        return Catalog::Changed;
    }
    if more == 0 {
        Catalog::Unchanged
    } else {
        Catalog::OnlyMore
    }
}

fn kind(template: &Template, oid: u32) -> Option<&Kind> {
    template.relation(oid).map(|relation| &relation.kind)
}

fn name(template: &Template, oid: u32) -> &str {
    template.relation(oid).map_or("a relation", |relation| &relation.name)
}
