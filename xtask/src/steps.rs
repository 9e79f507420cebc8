//! Steps of a command: each is carried out under its headline, and a table at the end says how each went.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::args::AfterFailure;
use crate::line::Line;

/// One thing to do.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) work: Work,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Call(fn() -> Result<()>),
    Run(Line),
    Skip(String),
}

impl Step {
    pub(crate) fn new(name: &str, work: Work) -> Self {
        Self {
            name: name.to_owned(),
            work,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(String),
    NotRun,
}

/// Carries out all steps, or those up to the first that fails, and sums up.
///
/// # Errors
/// When a step failed; it names them all.
pub(crate) fn run(command: &str, steps: Vec<Step>, after_failure: AfterFailure) -> Result<()> {
    let started = Instant::now();
    let mut outcomes: Vec<(String, Outcome)> = Vec::new();
    for Step { name, work } in steps {
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
        println!("{command} passed in {took}");
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).collect();
    bail!("{command} failed in {took}: {}", names.join(", "))
}

/// Runs one step under its headline.
fn carry_out(name: &str, work: &Work) -> Outcome {
    let started = Instant::now();
    let result = match work {
        Work::Skip(why) => {
            println!("\n==> {name}: skipped, {why}");
            return Outcome::Skipped(why.clone());
        }
        Work::Call(function) => {
            println!("\n==> {name}");
            function()
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
    fn after_a_failure_the_others_run_if_that_is_asked_for() {
        let done = std::env::temp_dir().join(format!("itest-steps-{}", std::process::id()));
        let steps = || {
            vec![
                Step::new("fails", Work::Run(Line::new("sh", ["-c", "exit 1"]))),
                Step::new("follows", Work::Run(Line::new("touch", [done.display().to_string()]))),
            ]
        };
        let stopped = run("it", steps(), AfterFailure::Stop).expect_err("a step failed");
        assert!(stopped.to_string().contains(": fails"), "{stopped}");
        assert!(!done.exists());
        run("it", steps(), AfterFailure::KeepGoing).expect_err("a step failed");
        std::fs::remove_file(&done).expect("the second step ran");
    }

    #[test]
    fn a_failed_step_is_a_failed_outcome() {
        let outcome = carry_out("a step", &Work::Run(Line::new("sh", ["-c", "exit 1"])));
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }
}
