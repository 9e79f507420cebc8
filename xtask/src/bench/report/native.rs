//! What was measured on processes.

use super::table::{self, table};
use super::{suites, verdict};
use crate::bench::acquire::Acquired;
use crate::bench::figures::{Samples, digits};
use crate::bench::native::Figures;
use crate::bench::start::Starts;
use crate::bench::suites::{Runner, Suite};

/// Each with the name of its place in the page.
pub(super) fn tables_of(figures: &Figures, runs: usize) -> [(&'static str, String); 4] {
    [
        ("machine", machine(figures, runs)),
        ("aims", aims(figures)),
        ("suites", suites::table_of(&figures.suites, &Suite::ANYWHERE)),
        ("waits", waits(figures)),
    ]
}

fn machine(figures: &Figures, runs: usize) -> String {
    let facts = figures.facts.iter().cloned();
    let rounds = ("rounds", runs.to_string());
    table::of_facts("measured on", facts.chain([rounds]))
}

fn aims(figures: &Figures) -> String {
    let to_floor = |runner| figures.suites.to_floor(Suite::Transaction, runner).median();
    let aims = [
        (
            "a test in `transaction`, under nextest",
            to_floor(Runner::Nextest),
            1.5,
            "× the floor",
        ),
        (
            "a test in `transaction`, under `cargo test`",
            to_floor(Runner::CargoTest),
            1.5,
            "× the floor",
        ),
        (
            "acquiring a slice that is ready",
            figures.acquired.transaction.median(),
            2.0,
            "ms",
        ),
        (
            "a cold start, to the first body",
            figures.starts.cold.median(),
            700.0,
            "ms",
        ),
        (
            "a warm start, to the first body",
            figures.starts.warm.median(),
            30.0,
            "ms",
        ),
    ];
    table(
        &["aim", "at most", "measured", ""],
        aims.into_iter().map(|(aim, measured, limit, unit)| {
            vec![
                aim.to_owned(),
                format!("{limit} {unit}"),
                format!("{} {unit}", digits(measured)),
                verdict(measured, limit).to_owned(),
            ]
        }),
    )
}

fn waits(figures: &Figures) -> String {
    let Starts {
        very_first,
        cold,
        cold_migrated,
        warm,
        warm_migrated,
    } = &figures.starts;
    let Acquired {
        transaction,
        connected,
        database,
    } = &figures.acquired;
    let rows: [(&str, &Samples); 8] = [
        ("process start to body, the very first one (`initdb` runs)", very_first),
        ("process start to body, cold (no supervisor, no server)", cold),
        ("process start to body, cold, with 20 migrations to run", cold_migrated),
        ("process start to body, warm", warm),
        ("process start to body, warm, `transaction` on 40 tables", warm_migrated),
        ("call of the test to body: a ready `transaction` slice", transaction),
        ("the same, connected and with its transaction open", connected),
        ("call of the test to body: a ready `database` slice", database),
    ];
    table(
        &["from … to …", "ms"],
        rows.into_iter()
            .map(|(what, samples)| vec![what.to_owned(), samples.with_range()]),
    )
}
