//! `cargo xtask ci`: what CI runs, step by step, and a summary.

use std::env;
use std::fs;

use anyhow::{Context, Result};

use crate::args::AfterFailure;
use crate::features;
use crate::line::{self, Line};
use crate::need::{self, Need};
use crate::steps::{self, Step, Work};
use crate::test::{self, Containers};

pub(crate) fn run(after_failure: AfterFailure) -> Result<()> {
    let containers = Containers::look()?;
    steps::run("ci", steps(&containers)?, after_failure)
}

fn steps(containers: &Containers) -> Result<Vec<Step>> {
    let step = |name: &str, line| Step::new(name, Work::Run(line));
    // First of all: what can't be installed should be known before minutes of building.
    let mut steps = vec![
        Step::new("needs", Work::Call(needs)),
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
        step(
            "public items",
            Line::cargo(["xtask", "surface"]).env("RUSTDOCFLAGS", "-D warnings"),
        ),
        Step::new("cargo-deny", deny()),
    ];
    for (package, manifest) in [
        ("itest", "Cargo.toml"),
        ("itest-runtime", "itest-runtime/Cargo.toml"),
        ("itest-testing", "itest-testing/Cargo.toml"),
        ("itest-mysql", "services/mysql/Cargo.toml"),
        ("itest-nats", "services/nats/Cargo.toml"),
        ("itest-postgres", "services/postgres/Cargo.toml"),
        ("itest-redis", "services/redis/Cargo.toml"),
    ] {
        let path = line::root().join(manifest);
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let check = Line::cargo(["check", "-p", package, "--no-default-features"]);
        steps.push(step(&format!("{package} without features"), check.clone()));
        for feature in features::parse(&text) {
            let name = format!("{package} with {feature} alone");
            steps.push(step(&name, check.clone().args(&["--features".to_owned(), feature])));
        }
    }
    steps.extend(test::plan(&["run", "--profile", "ci"], &[], containers));
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
