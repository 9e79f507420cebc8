//! `cargo xtask test`: every test, under both runners.

use anyhow::Result;

use crate::line::Line;
use crate::need::{self, Need};

pub(crate) fn run(extra: &[String]) -> Result<()> {
    need::ensure(Need::TEST)?;
    for (_, line) in lines(&["run"], extra) {
        println!("running: {line}");
        line.run()?;
    }
    Ok(())
}

/// The commands that together run every test, by name.
pub(crate) fn lines(nextest: &[&str], extra: &[String]) -> Vec<(&'static str, Line)> {
    let nextest = [&["nextest"], nextest].concat();
    if extra.iter().any(|arg| selects(arg)) {
        // With a selection plain `cargo test` knows best whether there are doc tests to run.
        return vec![
            ("nextest", Line::cargo(nextest).args(extra)),
            ("cargo test", Line::cargo(["test", "--no-fail-fast"]).args(extra)),
        ];
    }
    let whole = |args: &[&str]| Line::cargo(args).args(&["--workspace".to_owned()]).args(extra);
    vec![
        ("nextest", whole(&nextest)),
        // nextest runs none. They come in between, so that the summaries of the other two are what one sees last:
        // a crate without doc tests ends with "0 passed".
        ("doc tests", whole(&["test", "--no-fail-fast", "--doc"])),
        ("cargo test", whole(&["test", "--no-fail-fast", "--tests"])),
    ]
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

    fn planned(extra: &[&str]) -> Vec<String> {
        let extra: Vec<String> = extra.iter().map(|arg| (*arg).to_owned()).collect();
        lines(&["run"], &extra)
            .into_iter()
            .map(|(_, line)| line.to_string())
            .collect()
    }

    #[test]
    fn everything_runs_under_both_runners_and_doc_tests_once() {
        assert_eq!(
            planned(&["a_name"]),
            [
                "cargo nextest run --workspace a_name",
                "cargo test --no-fail-fast --doc --workspace a_name",
                "cargo test --no-fail-fast --tests --workspace a_name",
            ]
        );
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
                planned(selection),
                [
                    format!("cargo nextest run {selected}"),
                    format!("cargo test --no-fail-fast {selected}")
                ]
            );
        }
    }
}
