//! The same tests in each suite, under both runners.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::figures::Samples;
use super::ground::Ground;
use super::kinds::Kind;
use super::programs::{Programs, passed};
use crate::line::Line;

/// What a suite leaves to be cleaned in the background must not be in the next one's way.
pub(super) const SETTLE: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    Floor,
    Transaction,
    Database,
    ClonePerTest,
    SqlxTest,
    ContainerPerTest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    Nextest,
    CargoTest,
}

impl Suite {
    /// Those that need no more than a server.
    pub(super) const ANYWHERE: [Self; 4] = [Self::Floor, Self::Transaction, Self::Database, Self::SqlxTest];
    pub(super) const IN_CONTAINERS: [Self; 5] = [
        Self::Floor,
        Self::Transaction,
        Self::Database,
        Self::SqlxTest,
        Self::ContainerPerTest,
    ];

    /// How many tests it has.
    pub(super) fn tests(self) -> u32 {
        match self {
            Self::Floor | Self::Transaction | Self::Database | Self::ClonePerTest | Self::SqlxTest => 100,
            // Each takes a second or more.
            Self::ContainerPerTest => 20,
        }
    }

    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Transaction => "transaction",
            Self::Database => "database",
            Self::ClonePerTest => "clone",
            Self::SqlxTest => "sqlx_test",
            Self::ContainerPerTest => "container_per_test",
        }
    }
}

/// Milliseconds a test; one entry a round.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<(Suite, Runner, f64)>);

impl Times {
    pub(super) fn each(&self, suite: Suite, runner: Runner) -> Samples {
        self.in_rounds(suite, runner).collect()
    }

    /// How many times as long as the floor of the same round.
    pub(super) fn to_floor(&self, suite: Suite, runner: Runner) -> Samples {
        let floor = self.in_rounds(Suite::Floor, runner);
        self.in_rounds(suite, runner)
            .zip(floor)
            .map(|(time, floor)| time / floor)
            .collect()
    }

    fn in_rounds(&self, suite: Suite, runner: Runner) -> impl Iterator<Item = f64> {
        self.0
            .iter()
            .filter(move |(of, by, _)| (*of, *by) == (suite, runner))
            .map(|(.., time)| *time)
    }
}

/// Runs each of the suites once under each runner, each round beginning with another one.
pub(super) fn round(
    ground: &Ground,
    programs: &Programs,
    suites: &[Suite],
    round: usize,
    times: &mut Times,
) -> Result<()> {
    let all: Vec<_> = suites.iter().map(|suite| (*suite, suite.tests())).collect();
    let runners = [Runner::Nextest, Runner::CargoTest];
    round_of_kind(ground, programs, &all, Kind::Write, &runners, round, times)
}

/// The same with tests of one kind, and with so many of each suite's.
pub(super) fn round_of_kind(
    ground: &Ground,
    programs: &Programs,
    suites: &[(Suite, u32)],
    kind: Kind,
    runners: &[Runner],
    round: usize,
    times: &mut Times,
) -> Result<()> {
    let (last, first) = suites.split_at(round % suites.len());
    for &runner in runners {
        for &(suite, tests) in first.iter().chain(last) {
            let time = match runner {
                Runner::Nextest => under_nextest(ground, suite.target(), (tests, &filters(suite, tests)), kind)?,
                Runner::CargoTest => under_cargo_test(ground, programs, suite.target(), &filters(suite, tests), kind)?,
            };
            let each = time.as_secs_f64() * 1000.0 / f64::from(tests);
            times.0.push((suite, runner, each));
            sleep(SETTLE);
        }
    }
    Ok(())
}

/// The beginnings of the names of so many tests: they are called `t00` to `t99`.
fn filters(suite: Suite, tests: u32) -> Vec<String> {
    if tests >= suite.tests() {
        return Vec::new();
    }
    (0..tests / 10).map(|tens| format!("t{tens}")).collect()
}

/// What nextest itself says: without building and listing.
pub(super) fn under_nextest(
    ground: &Ground,
    target: &str,
    (tests, filters): (u32, &[String]),
    kind: Kind,
) -> Result<Duration> {
    let args = ["nextest", "run", "--workspace", "--color", "never", "--test", target];
    let mut command = Line::cargo(args).args(filters).command();
    let output = passed(ground.warm(&mut command).env("BENCH_KIND", kind.name()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let seconds = summary(&said, tests).with_context(|| format!("nextest told no time:\n{said}"))?;
    Ok(Duration::from_secs_f64(seconds))
}

/// The test binary itself: what `cargo test` does after it has seen that nothing is to be built.
pub(super) fn under_cargo_test(
    ground: &Ground,
    programs: &Programs,
    target: &str,
    filters: &[String],
    kind: Kind,
) -> Result<Duration> {
    let mut command = programs.command(target);
    command.args(filters).env("BENCH_KIND", kind.name());
    let began = Instant::now();
    passed(ground.warm(&mut command))?;
    Ok(began.elapsed())
}

/// The seconds in `Summary [   1.234s] 100 tests run: 100 passed, 0 skipped`.
fn summary(said: &str, tests: u32) -> Option<f64> {
    let (_, rest) = said.split_once("Summary [")?;
    let (seconds, rest) = rest.split_once("s]")?;
    rest.trim_start()
        .starts_with(&format!("{tests} tests run"))
        .then_some(())?;
    seconds.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_tells_how_long_all_tests_took() {
        let said = "────\n     Summary [   1.147s] 100 tests run: 100 passed, 0 skipped\n";
        assert_eq!(summary(said, 100), Some(1.147));
        assert_eq!(summary(said, 20), None);
    }

    #[test]
    fn ratios_are_those_of_one_round() {
        let times = Times(vec![
            (Suite::Floor, Runner::Nextest, 1.0),
            (Suite::Database, Runner::Nextest, 2.0),
            (Suite::Database, Runner::Nextest, 30.0),
            (Suite::Floor, Runner::Nextest, 10.0),
            (Suite::Floor, Runner::CargoTest, 7.0),
        ]);
        let ratios = times.to_floor(Suite::Database, Runner::Nextest);
        assert_eq!(ratios, [2.0, 3.0].into_iter().collect());
    }
}
