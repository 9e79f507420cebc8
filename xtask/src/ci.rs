//! `cargo xtask ci`: what CI runs, step by step, and a summary.

use std::env;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::AfterFailure;
use crate::features;
use crate::line::{self, Line};
use crate::need::{self, Need};
use crate::test::{self, Containers};

struct Step {
    name: String,
    work: Work,
}

enum Work {
    Needs,
    Run(Line),
    Skip(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(String),
    NotRun,
}

pub(crate) fn run(after_failure: AfterFailure) -> Result<()> {
    let started = Instant::now();
    let mut outcomes: Vec<(String, Outcome)> = Vec::new();
    let containers = Containers::look()?;
    for Step { name, work } in steps(&containers)? {
        let failed = outcomes
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
        let outcome = if failed && after_failure == AfterFailure::Stop {
            Outcome::NotRun
        } else {
            carry_out(&name, &work)
        };
        outcomes.push((name, outcome));
    }
    println!("\n{}", table(&outcomes));
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .collect();
    let took = seconds(started.elapsed());
    if failed.is_empty() {
        println!("ci passed in {took}");
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).collect();
    bail!("ci failed in {took}: {}", names.join(", "))
}

fn steps(containers: &Containers) -> Result<Vec<Step>> {
    let step = |name: &str, line| Step {
        name: name.to_owned(),
        work: Work::Run(line),
    };
    // First of all: what can't be installed should be known before minutes of building.
    let mut steps = vec![
        Step {
            name: "needs".to_owned(),
            work: Work::Needs,
        },
        step("fmt", Line::cargo(["fmt", "--all", "--check"])),
        step(
            "clippy",
            Line::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ),
        // The tests that only other tests run are none of `--all-targets`.
        step(
            "clippy, every test",
            Line::cargo(["clippy", "--workspace", "--test", "*", "--", "-D", "warnings"]),
        ),
        step(
            "rustdoc",
            Line::cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
        ),
        Step {
            name: "cargo-deny".to_owned(),
            work: deny(),
        },
    ];
    for (package, manifest) in [("itest", "Cargo.toml"), ("itest-runtime", "itest-runtime/Cargo.toml")] {
        let path = line::root().join(manifest);
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let check = Line::cargo(["check", "-p", package, "--no-default-features"]);
        steps.push(step(&format!("{package} without features"), check.clone()));
        for feature in features::parse(&text) {
            let name = format!("{package} with {feature} alone");
            steps.push(step(&name, check.clone().args(&["--features".to_owned(), feature])));
        }
    }
    for (name, work) in test::plan(&["run", "--profile", "ci"], &[], containers) {
        steps.push(match work {
            test::Work::Run(line) => step(name, line),
            test::Work::Skip(why) => Step {
                name: name.to_owned(),
                work: Work::Skip(why),
            },
        });
    }
    Ok(steps)
}

fn needs() -> Result<()> {
    need::ensure(Need::TEST)?;
    // As every CI says of itself.
    if env::var_os("CI").is_some() {
        need::ensure(Need::UNATTENDED)?;
    }
    Ok(())
}

/// Advisories are left out: one that is published tonight must not fail tomorrow's unrelated change, and their database
/// isn't within reach of every CI. `cargo deny check advisories` is for a schedule of its own.
fn deny() -> Work {
    if Line::cargo(["deny", "--version"]).said().is_none() {
        return Work::Skip("it isn't installed: `cargo install cargo-deny --locked`".to_owned());
    }
    Work::Run(Line::cargo(["deny", "check", "bans", "licenses", "sources"]))
}

/// Runs one step under its headline.
fn carry_out(name: &str, work: &Work) -> Outcome {
    let started = Instant::now();
    let result = match work {
        Work::Skip(why) => {
            println!("\n==> {name}: skipped, {why}");
            return Outcome::Skipped(why.clone());
        }
        Work::Needs => {
            println!("\n==> {name}");
            needs()
        }
        Work::Run(line) => {
            println!("\n==> {name}: {line}");
            line.run()
        }
    };
    let took = started.elapsed();
    match result {
        Ok(()) => {
            println!("<== {name}: passed in {}", seconds(took));
            Outcome::Passed(took)
        }
        Err(error) => {
            println!("<== {name}: failed in {}: {error:#}", seconds(took));
            Outcome::Failed(took)
        }
    }
}

fn table(outcomes: &[(String, Outcome)]) -> String {
    let width = outcomes.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut table = String::new();
    for (name, outcome) in outcomes {
        let (result, note) = match outcome {
            Outcome::Passed(took) => ("passed", format!("{:>8}", seconds(*took))),
            Outcome::Failed(took) => ("FAILED", format!("{:>8}", seconds(*took))),
            Outcome::Skipped(why) => ("skipped", format!("  {why}")),
            Outcome::NotRun => ("not run", String::new()),
        };
        let row = format!("{name:width$}  {result:7}{note}");
        writeln!(table, "{}", row.trim_end()).expect("a String takes all");
    }
    table
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_each_step_with_its_outcome() {
        let outcomes = [
            ("fmt", Outcome::Passed(Duration::from_millis(1240))),
            ("cargo-deny", Outcome::Skipped("it isn't installed".to_owned())),
            ("clippy", Outcome::Failed(Duration::from_secs(125))),
            ("nextest", Outcome::NotRun),
        ]
        .map(|(name, outcome)| (name.to_owned(), outcome));
        let expected = "\
fmt         passed    1.2 s
cargo-deny  skipped  it isn't installed
clippy      FAILED  125.0 s
nextest     not run
";
        assert_eq!(table(&outcomes), expected);
    }

    #[test]
    fn every_feature_is_checked_alone_and_none_at_all() {
        let names: Vec<String> = steps(&Containers::There)
            .expect("our own manifests")
            .into_iter()
            .map(|step| step.name)
            .collect();
        for name in [
            "itest without features",
            "itest with postgres alone",
            "itest-runtime with native alone",
        ] {
            assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
        }
        for name in [
            "nextest",
            "doc tests",
            "cargo test",
            "nextest, in containers",
            "nextest, on external servers",
        ] {
            assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
        }
    }

    #[test]
    fn a_failed_step_is_a_failed_outcome() {
        let outcome = carry_out("a step", &Work::Run(Line::new("sh", ["-c", "exit 1"])));
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }
}
