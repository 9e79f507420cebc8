//! What a test takes with other services.

use super::table::table;
use super::verdict;
use crate::bench::services::Figures;

pub(super) fn table_of(figures: &Figures) -> String {
    let heads = [
        "100 tests",
        "floor, ms a test",
        "itest, ms a test",
        "× floor",
        "at most",
        "`cargo test`: floor",
        "itest",
        "× floor",
    ];
    let rows = figures.of.iter().map(|(service, times)| {
        let ratio = &times.ratio[0];
        vec![
            service.name.to_owned(),
            times.floor[0].with_range(),
            times.itest[0].with_range(),
            ratio.with_range(),
            format!("{}: {}", service.aim, verdict(ratio.median(), service.aim)),
            times.floor[1].with_range(),
            times.itest[1].with_range(),
            times.ratio[1].with_range(),
        ]
    });
    format!("{}\nMariaDB {}.\n", table(&heads, rows), figures.versions)
}
