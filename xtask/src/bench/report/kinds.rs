//! What each kind of test takes.

use super::table::table;
use crate::bench::figures::digits;
use crate::bench::kinds::{Figures, Kind, SUITES};
use crate::bench::large;
use crate::bench::schema::Schema;
use crate::bench::suites::{Runner, Suite};

/// Each with the name of its place in the page.
pub(super) fn tables_of(figures: &Figures) -> Vec<(&'static str, String)> {
    let places = [
        ("kinds-write", Kind::Write, Runner::Nextest),
        ("kinds-write-cargo-test", Kind::Write, Runner::CargoTest),
        ("kinds-read", Kind::Read, Runner::Nextest),
        ("kinds-truncate", Kind::Truncate, Runner::Nextest),
        ("kinds-ddl", Kind::Ddl, Runner::Nextest),
    ];
    let schemas = Schema::ALL.map(|schema| (schema, schema.name()));
    places
        .into_iter()
        .map(|(place, kind, runner)| (place, table_of(figures, &schemas, &SUITES, kind, runner)))
        .collect()
}

/// The same of a large table.
pub(super) fn large_tables_of(figures: &large::Figures) -> Vec<(&'static str, String)> {
    let sizes = large::MEGABYTES.map(|size| (size, format!("{size} MB")));
    large::KINDS
        .into_iter()
        .map(|kind| {
            (
                kind.name(),
                table_of(figures, &sizes, &large::SUITES, kind, Runner::Nextest),
            )
        })
        .collect()
}

fn table_of<S: Copy + PartialEq>(
    figures: &Figures<S>,
    schemas: &[(S, String)],
    suites: &[(Suite, u32)],
    kind: Kind,
    runner: Runner,
) -> String {
    let measured = |schema: S| !figures.each(schema, kind, Suite::Floor, runner).median().is_nan();
    let rows = schemas
        .iter()
        .filter(|(schema, _)| measured(*schema))
        .map(|(schema, name)| {
            let columns = suites.iter().map(|(suite, _)| match suite {
                Suite::Floor => figures.each(*schema, kind, *suite, runner).with_range() + " ms",
                _ => {
                    let each = figures.each(*schema, kind, *suite, runner).median();
                    let ratio = figures.to_floor(*schema, kind, *suite, runner).with_range();
                    format!("{ratio}, {} ms", digits(each))
                }
            });
            [name.clone()].into_iter().chain(columns).collect()
        });
    let titles: Vec<&str> = [""]
        .into_iter()
        .chain(suites.iter().map(|(suite, _)| title(*suite)))
        .collect();
    table(&titles, rows)
}

fn title(suite: Suite) -> &'static str {
    match suite {
        Suite::Floor => "floor",
        Suite::Transaction => "× in `transaction`",
        Suite::Database => "× in `database`",
        Suite::ClonePerTest => "× a clone each",
        Suite::SqlxTest => "× `#[sqlx::test]`",
        Suite::ContainerPerTest => "× a container each",
    }
}
