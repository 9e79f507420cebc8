//! `cargo xtask test`: every test, under both runners, and on every kind of server that this machine has.

use std::env;

use anyhow::Result;

use crate::args::AfterFailure;
use crate::images;
use crate::line::Line;
use crate::need::{self, Need};
use crate::steps::{self, Step, Work};

pub(crate) fn run(extra: &[String]) -> Result<()> {
    need::ensure(Need::TEST)?;
    let containers = Containers::look()?;
    steps::run("test", plan(&["run"], extra, &containers), AfterFailure::KeepGoing)
}

/// Whether tests can have containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Containers {
    /// An engine answers, and has our images.
    There,
    /// Why there are none.
    NotThere(String),
}

impl Containers {
    /// Sees to the images if there is an engine.
    ///
    /// # Errors
    /// When the engine is there and the images can't be made: what a machine has must not be left out unseen.
    pub(crate) fn look() -> Result<Self> {
        match images::engine() {
            Err(why) => Ok(Self::NotThere(why)),
            Ok(_) => {
                // Compose files are tested, too.
                need::ensure(Need::CONTAINERS)?;
                images::ensure()?;
                Ok(Self::There)
            }
        }
    }
}

/// The commands that together run every test, by name.
pub(crate) fn plan(nextest: &[&str], extra: &[String], containers: &Containers) -> Vec<Step> {
    let nextest = [&["nextest"], nextest].concat();
    if extra.iter().any(|arg| selects(arg)) {
        // With a selection plain `cargo test` knows best whether there are doc tests to run.
        let lines = [
            ("nextest", Line::cargo(nextest).args(extra)),
            ("cargo test", Line::cargo(["test", "--no-fail-fast"]).args(extra)),
        ];
        return lines
            .map(|(name, line)| Step::new(name, Work::Run(native(line, containers))))
            .into();
    }
    let whole = |args: &[&str]| Line::cargo(args).args(&["--workspace".to_owned()]).args(extra);
    let native = |line| Work::Run(native(line, containers));
    let mut plan = vec![
        Step::new("nextest", native(whole(&nextest))),
        // nextest runs none. They come in between, so that the summaries of the other two are what one sees last:
        // a crate without doc tests ends with "0 passed".
        Step::new("doc tests", native(whole(&["test", "--no-fail-fast", "--doc"]))),
        Step::new("cargo test", native(whole(&["test", "--no-fail-fast", "--tests"]))),
    ];
    if extra.is_empty() {
        plan.push(Step::new("nextest, in containers", in_containers(containers)));
        plan.push(Step::new(
            "nextest, on external servers",
            Work::Run(on_external_servers(containers)),
        ));
    }
    plan
}

/// On processes of this machine, unless a person wants something else: containers come later.
pub(crate) fn native(line: Line, containers: &Containers) -> Line {
    let line = told_of(containers, line);
    if env::var_os("ITEST_PROVIDER").is_some() {
        line
    } else {
        line.env("ITEST_PROVIDER", "native")
    }
}

/// `.config/nextest.toml` says which tests these are.
fn in_containers(containers: &Containers) -> Work {
    match containers {
        Containers::NotThere(why) => Work::Skip(why.clone()),
        Containers::There => {
            let line = Line::cargo(["nextest", "run", "--profile", "docker", "--workspace"]);
            let images = images::environment();
            let line = told_of(containers, line).env("ITEST_PROVIDER", "docker");
            Work::Run(images.iter().fold(line, |line, (name, value)| line.env(name, value)))
        }
    }
}

/// One test has the servers, and runs all others.
fn on_external_servers(containers: &Containers) -> Line {
    let args = ["nextest", "run", "--package", "itest", "--test", "external_suite"];
    let line = Line::cargo(args).args(&["--run-ignored", "only", "--no-capture"].map(str::to_owned));
    told_of(containers, line)
}

/// Tests that have containers are compiled in only where there are some: `build.rs` looks again when this comes.
fn told_of(containers: &Containers, line: Line) -> Line {
    match containers {
        Containers::There => line.env("TEST_IMAGES", "there"),
        Containers::NotThere(_) => line,
    }
}

/// Whether an argument says which packages or targets to test, instead of all.
fn selects(arg: &str) -> bool {
    const LONG: &[&str] = &[
        "--package",
        "--lib",
        "--bin",
        "--bins",
        "--test",
        "--tests",
        "--example",
        "--examples",
        "--all-targets",
    ];
    let name = arg.split('=').next().unwrap_or(arg);
    arg.starts_with("-p") || LONG.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(extra: &[&str], containers: &Containers) -> Vec<String> {
        let extra: Vec<String> = extra.iter().map(|arg| (*arg).to_owned()).collect();
        plan(&["run"], &extra, containers)
            .into_iter()
            .map(|Step { name, work }| match work {
                Work::Call(_) => name,
                Work::Run(line) => line.to_string().replace("ITEST_PROVIDER=native ", ""),
                Work::Skip(why) => format!("{name}: {why}"),
            })
            .collect()
    }

    fn none() -> Containers {
        Containers::NotThere("no engine".to_owned())
    }

    #[test]
    fn everything_runs_under_both_runners_and_doc_tests_once() {
        assert_eq!(
            planned(&["a_name"], &none()),
            [
                "cargo nextest run --workspace a_name",
                "cargo test --no-fail-fast --doc --workspace a_name",
                "cargo test --no-fail-fast --tests --workspace a_name",
            ]
        );
    }

    #[test]
    fn the_whole_runs_in_containers_and_on_external_servers_too() {
        let there = planned(&[], &Containers::There);
        assert!(
            there[3].contains("ITEST_PROVIDER=docker") && there[3].contains("--profile docker"),
            "{there:?}"
        );
        assert!(there[4].contains("--test external_suite"), "{there:?}");
        assert_eq!(planned(&[], &none())[3], "nextest, in containers: no engine");
    }

    #[test]
    fn a_selection_replaces_the_whole_workspace() {
        for selection in [
            &["-p", "orders"][..],
            &["-porders"],
            &["--package=orders"],
            &["--test", "clean"],
        ] {
            let selected = selection.join(" ");
            assert_eq!(
                planned(selection, &none()),
                [
                    format!("cargo nextest run {selected}"),
                    format!("cargo test --no-fail-fast {selected}")
                ]
            );
        }
    }
}
