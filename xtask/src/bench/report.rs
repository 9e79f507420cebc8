//! The tables, as a person reads them on a terminal and in `docs/performance.md` alike.

mod build;
mod containers;
mod suites;
mod table;

use super::Samples;
use super::acquire::Acquired;
use super::build::Builds;
use super::containers::Figures;
use super::figures::digits;
use super::start::Starts;
use super::suites::{Runner, Suite, Times};
use table::table;

pub(super) struct Report {
    machine: Vec<(&'static str, String)>,
    runs: usize,
    pub(super) suites: Times,
    pub(super) starts: Starts,
    pub(super) acquired: Acquired,
    /// Where there can be containers.
    pub(super) containers: Option<Figures>,
    pub(super) build: Option<Builds>,
}

impl Report {
    pub(super) fn new(machine: Vec<(&'static str, String)>, runs: usize) -> Self {
        Self {
            machine,
            runs,
            suites: Times::default(),
            starts: Starts::default(),
            acquired: Acquired::default(),
            containers: None,
            build: None,
        }
    }

    /// Each with the name of its place in the page.
    pub(super) fn tables(&self) -> Vec<(&'static str, String)> {
        let mut tables = vec![
            ("machine", self.machine()),
            ("aims", self.aims()),
            ("suites", suites::table_of(&self.suites, &Suite::ANYWHERE)),
            ("waits", self.waits()),
        ];
        if let Some(figures) = &self.containers {
            tables.extend(containers::tables_of(figures));
        }
        if let Some(builds) = &self.build {
            tables.push(("build", build::table_of(builds)));
        }
        tables
    }

    pub(super) fn text(&self) -> String {
        let tables: Vec<_> = self.tables().into_iter().map(|(_, table)| table).collect();
        tables.join("\n")
    }

    fn machine(&self) -> String {
        let facts = self.machine.iter().cloned();
        let rounds = ("rounds", self.runs.to_string());
        table::of_facts("measured on", facts.chain([rounds]))
    }

    fn aims(&self) -> String {
        let to_floor = |runner| self.suites.to_floor(Suite::Transaction, runner).median();
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
                self.acquired.transaction.median(),
                2.0,
                "ms",
            ),
            (
                "a cold start, to the first body",
                self.starts.cold.median(),
                700.0,
                "ms",
            ),
            ("a warm start, to the first body", self.starts.warm.median(), 30.0, "ms"),
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

    fn waits(&self) -> String {
        let Starts {
            very_first,
            cold,
            cold_migrated,
            warm,
            warm_migrated,
        } = &self.starts;
        let Acquired {
            transaction,
            connected,
            database,
        } = &self.acquired;
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
}

fn verdict(measured: f64, limit: f64) -> &'static str {
    if measured <= limit { "met" } else { "**missed**" }
}
