//! What tests on a large table take.

use super::table::table;
use crate::bench::figures::digits;
use crate::bench::kinds::Kind;
use crate::bench::large::{Figures, KINDS, MEGABYTES, SUITES};
use crate::bench::suites::Suite;

/// Each with the name of its place in the page.
pub(super) fn tables_of(figures: &Figures) -> Vec<(&'static str, String)> {
    KINDS
        .into_iter()
        .map(|kind| (kind.name(), table_of(figures, kind)))
        .collect()
}

fn table_of(figures: &Figures, kind: Kind) -> String {
    let measured = |size: &u32| !figures.each(*size, kind, Suite::Floor).median().is_nan();
    let rows = MEGABYTES.into_iter().filter(measured).map(|size| {
        let columns = SUITES.iter().map(|(suite, _)| match suite {
            Suite::Floor => figures.each(size, kind, *suite).with_range() + " ms",
            _ => {
                let each = figures.each(size, kind, *suite).median();
                let ratio = figures.to_floor(size, kind, *suite).with_range();
                format!("{ratio}, {} ms", digits(each))
            }
        });
        [format!("{size} MB")].into_iter().chain(columns).collect()
    });
    table(
        &["", "floor", "× in `transaction`", "× in `database`", "× a clone each"],
        rows,
    )
}
