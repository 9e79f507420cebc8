//! What each kind of test takes.

use super::table::table;
use crate::bench::figures::digits;
use crate::bench::kinds::{Figures, Kind, SUITES};
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
    places
        .into_iter()
        .map(|(place, kind, runner)| (place, table_of(figures, kind, runner)))
        .collect()
}

fn table_of(figures: &Figures, kind: Kind, runner: Runner) -> String {
    let measured = |schema: &Schema| !figures.each(*schema, kind, Suite::Floor, runner).median().is_nan();
    let rows = Schema::ALL.into_iter().filter(measured).map(|schema| {
        let columns = SUITES.iter().map(|(suite, _)| match suite {
            Suite::Floor => figures.each(schema, kind, *suite, runner).with_range() + " ms",
            _ => {
                let each = figures.each(schema, kind, *suite, runner).median();
                let ratio = figures.to_floor(schema, kind, *suite, runner).with_range();
                format!("{ratio}, {} ms", digits(each))
            }
        });
        [schema.name()].into_iter().chain(columns).collect()
    });
    table(
        &[
            "",
            "floor",
            "× in `transaction`",
            "× in `database`",
            "× a clone each",
            "× `#[sqlx::test]`",
        ],
        rows,
    )
}
