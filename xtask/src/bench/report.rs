//! The tables, as a person reads them on a terminal and in `docs/performance.md` alike.

mod build;
mod table;

use super::Samples;
use super::acquire::Acquired;
use super::build::Builds;
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
            build: None,
        }
    }

    /// Each with the name of its place in the page.
    pub(super) fn tables(&self) -> Vec<(&'static str, String)> {
        let mut tables = vec![
            ("machine", self.machine()),
            ("aims", self.aims()),
            ("suites", self.suites()),
            ("waits", self.waits()),
        ];
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
        let facts = self
            .machine
            .iter()
            .map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
        let rounds = vec!["rounds".to_owned(), self.runs.to_string()];
        table(&["measured on", ""], facts.chain([rounds]))
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
            aims.into_iter().map(|(aim, limit_of, limit, unit)| {
                let verdict = if limit_of <= limit { "met" } else { "**missed**" };
                vec![
                    aim.to_owned(),
                    format!("{limit} {unit}"),
                    format!("{} {unit}", digits(limit_of)),
                    verdict.to_owned(),
                ]
            }),
        )
    }

    fn suites(&self) -> String {
        let heads = [
            "100 tests",
            "nextest, ms a test",
            "× floor",
            "`cargo test`, ms a test",
            "× floor",
        ];
        table(
            &heads,
            Suite::ALL.into_iter().map(|suite| {
                let mut row = vec![name(suite).to_owned()];
                for runner in [Runner::Nextest, Runner::CargoTest] {
                    row.push(self.suites.each(suite, runner).with_range());
                    row.push(match suite {
                        Suite::Floor => "1".to_owned(),
                        Suite::Transaction | Suite::Database | Suite::SqlxTest => {
                            self.suites.to_floor(suite, runner).with_range()
                        }
                    });
                }
                row
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

fn name(suite: Suite) -> &'static str {
    match suite {
        Suite::Floor => "floor: one shared database, plain sqlx",
        Suite::Transaction => "itest, `transaction`",
        Suite::Database => "itest, `database`",
        Suite::SqlxTest => "`#[sqlx::test]`",
    }
}
