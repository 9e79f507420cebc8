//! The tables, as a person reads them on a terminal and in `docs/performance.md` alike.

use super::Samples;
use super::acquire::Acquired;
use super::build::{Build, Builds};
use super::figures::digits;
use super::start::Starts;
use super::suites::{Runner, Suite, Times};

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
            tables.push(("build", build(builds)));
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

fn build(builds: &Builds) -> String {
    let row = |name: &str, build: &Build| {
        vec![
            name.to_owned(),
            build.clean.with_range(),
            build.relink.with_range(),
            digits(build.megabytes),
        ]
    };
    let Builds { plain, with_itest } = builds;
    let adds = |of: fn(&Build) -> f64| digits(of(with_itest) - of(plain));
    let added = vec![
        "added".to_owned(),
        adds(|build| build.clean.median()),
        adds(|build| build.relink.median()),
        adds(|build| build.megabytes),
    ];
    table(
        &[
            "`cargo build --tests`",
            "clean, s",
            "after a change of the test, s",
            "test binary, MB",
        ],
        [row("sqlx and tokio", plain), row("and itest", with_itest), added],
    )
}

/// A table in Markdown, aligned so that it is readable as it stands.
fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(1)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let ruler: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&heads) + &line(&ruler) + &rows.iter().map(|row| line(row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = [
            vec!["é".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), "2".to_owned()],
        ];
        assert_eq!(
            table(&["a", "ms"], rows),
            "| a    | ms |\n| ---- | -- |\n| é    | 1  |\n| long | 2  |\n"
        );
    }
}
