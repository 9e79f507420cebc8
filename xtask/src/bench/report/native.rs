//! What was measured on processes.

use super::table::{self, table};
use super::{suites, verdict};
use crate::bench::acquire::Acquired;
use crate::bench::cpu::{Cpu, Shares};
use crate::bench::figures::{Samples, digits};
use crate::bench::native::Figures;
use crate::bench::start::Starts;
use crate::bench::suites::{Runner, Suite};

/// Each with the name of its place in the page.
pub(super) fn tables_of(figures: &Figures, runs: usize) -> [(&'static str, String); 5] {
    [
        ("machine", machine(figures, runs)),
        ("aims", aims(figures)),
        ("suites", suites::table_of(&figures.suites, &Suite::ANYWHERE)),
        ("cpu", cpu(&figures.cpu)),
        ("waits", waits(figures)),
    ]
}

fn machine(figures: &Figures, runs: usize) -> String {
    let facts = figures.facts.iter().cloned();
    let rounds = ("rounds", runs.to_string());
    table::of_facts("measured on", facts.chain([rounds]))
}

fn aims(figures: &Figures) -> String {
    let to_floor = |suite, runner| figures.suites.to_floor(suite, runner).median();
    let to_sqlx_test = |runner| {
        let of = |suite| figures.suites.each(suite, runner).median();
        of(Suite::SqlxTest) / of(Suite::Database)
    };
    let aims = [
        (
            "a test in `database`, under nextest",
            to_floor(Suite::Database, Runner::Nextest),
            1.3,
            "× the floor",
        ),
        (
            "a test in `database`, under `cargo test`",
            to_floor(Suite::Database, Runner::CargoTest),
            1.5,
            "× the floor",
        ),
        (
            "a test in `transaction`, under nextest",
            to_floor(Suite::Transaction, Runner::Nextest),
            1.2,
            "× the floor",
        ),
        (
            "a test in `database`, under nextest, beside `#[sqlx::test]`",
            1.0 / to_sqlx_test(Runner::Nextest),
            0.1,
            "× that",
        ),
        (
            "the processor's time that `database` adds to a test, recycling and all",
            figures.cpu.database.all.median() - figures.cpu.floor.all.median(),
            5.0,
            "ms",
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

fn cpu(cpu: &Cpu) -> String {
    let rows = [
        ("floor", &cpu.floor),
        ("itest, `transaction`", &cpu.transaction),
        ("itest, `database`", &cpu.database),
    ];
    table(
        &[
            "processor's time, ms a test",
            "all",
            "PostgreSQL",
            "test process",
            "supervisor",
        ],
        rows.into_iter().map(|(name, shares)| {
            let Shares {
                test,
                server,
                supervisor,
                all,
            } = shares;
            [name.to_owned()]
                .into_iter()
                .chain([all, server, test, supervisor].map(Samples::with_range))
                .collect()
        }),
    )
}

fn waits(figures: &Figures) -> String {
    let Starts {
        very_first,
        cold,
        cold_migrated,
        cold_kept,
        warm,
        warm_migrated,
    } = &figures.starts;
    let Acquired {
        transaction,
        connected,
        database,
    } = &figures.acquired;
    let rows: [(&str, &Samples); 9] = [
        ("process start to body, the very first one (`initdb` runs)", very_first),
        ("process start to body, cold (no supervisor, no server)", cold),
        ("process start to body, cold, with 20 migrations to run", cold_migrated),
        ("process start to body, cold, with their outcome kept", cold_kept),
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
