//! `cargo xtask prove`: many random programs for recycling and for fixture files, and a check that these would notice recycling's
//! mistakes.

mod mutants;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::line::{Line, root};
use crate::need::{self, Need};
use mutants::{MUTANTS, Mutant};

pub(crate) const USAGE: &str = "\
Runs random programs on recycled databases, and compares what is left with the template; and random fixture files in each
of the ways in which a test may come to them, and compares what is there.

usage:
  cargo xtask prove [--programs N | --mutants]

  --programs N   run N programs, and N/20 lists of fixture files (10000)
  --mutants      break each detection, one after the other, and see that the programs fail: takes some minutes";

const PROGRAMS: u32 = 10_000;
/// So many are enough, beside the tests with names.
const PROGRAMS_FOR_A_MUTANT: u32 = 200;

#[derive(Debug, PartialEq, Eq)]
enum Args {
    Help,
    Programs(u32),
    Mutants,
}

fn parse(args: &[String]) -> Result<Args> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Ok(Args::Programs(PROGRAMS)),
        ["--help" | "-h"] => Ok(Args::Help),
        ["--mutants"] => Ok(Args::Mutants),
        ["--programs", count] => match count.parse() {
            Ok(count) if count > 0 => Ok(Args::Programs(count)),
            _ => bail!("`--programs {count}` is not a number from 1 on"),
        },
        _ => bail!(
            "unknown arguments of `prove`: {}; `cargo xtask prove --help` tells more",
            words.join(" ")
        ),
    }
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = parse(args)?;
    if args == Args::Help {
        println!("{USAGE}");
        return Ok(());
    }
    need::ensure(Need::DEMO)?;
    match args {
        Args::Programs(count) => programs(count).env("RUST_BACKTRACE", "0").run(),
        Args::Mutants | Args::Help => check_mutants(),
    }
}

/// A list of fixture files takes about as long as so many programs: it is run in three ways, two of which build a template.
const PROGRAMS_FOR_LAYERS: u32 = 20;

/// The tests that run them.
fn programs(count: u32) -> Line {
    let layers = (count / PROGRAMS_FOR_LAYERS).max(1);
    Line::cargo(["test", "--test", "recycling", "random_", "--", "--nocapture"])
        .env("RECYCLING_PROGRAMS", &count.to_string())
        .env("RECYCLING_LAYERS", &layers.to_string())
}

/// Each in a copy of the sources, so that nothing of it stays here.
fn check_mutants() -> Result<()> {
    let copy = root().join("target/mutants");
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        copy_sources(&copy)?;
        mutant.apply(&copy)?;
        let began = Instant::now();
        let built = in_copy(
            &copy,
            &Line::cargo(["test", "--no-run", "--quiet", "--test", "recycling"]),
        )?;
        if !built.0 {
            bail!("with {} the sources don't build:\n{}", mutant.name, built.1);
        }
        // All of its tests: those with names were found by programs.
        let line = Line::cargo(["test", "--quiet", "--test", "recycling"])
            .env("RECYCLING_PROGRAMS", &PROGRAMS_FOR_A_MUTANT.to_string())
            .env("RECYCLING_LAYERS", "5")
            .env("RECYCLING_SHRINK", "0");
        let (passed, _) = in_copy(&copy, &line)?;
        let seconds = began.elapsed().as_secs();
        println!(
            "{}: {} ({seconds} s)",
            if passed { "not noticed" } else { "noticed" },
            mutant.name
        );
        if passed {
            survivors.push(mutant.name);
        }
    }
    fs::remove_dir_all(&copy).with_context(|| format!("failed to remove {}", copy.display()))?;
    if !survivors.is_empty() {
        bail!("the programs don't notice: {}", survivors.join("; "));
    }
    println!("each of {} mistakes is noticed", MUTANTS.len());
    Ok(())
}

/// Whether it succeeded, and what it said.
fn in_copy(copy: &Path, line: &Line) -> Result<(bool, String)> {
    let output = line
        .command()
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", root().join("target"))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start `{line}`"))?;
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
    Ok((output.status.success(), said.join("\n")))
}

/// What git knows of, as it is now.
fn copy_sources(to: &Path) -> Result<()> {
    let listed = Line::new("git", ["ls-files", "--cached", "--others", "--exclude-standard"]).said();
    let listed = listed.context("git doesn't list the sources")?;
    for name in listed.lines() {
        let (from, to) = (root().join(name), to.join(name));
        let Ok(content) = fs::read(&from) else { continue };
        // What is the same stays untouched, and need not be built again.
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        let folder = to.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&to, content))
            .with_context(|| format!("failed to write {}", to.display()))?;
    }
    Ok(())
}

impl Mutant {
    fn apply(&self, copy: &Path) -> Result<()> {
        let path = copy.join(self.file);
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", self.file))?;
        if text.matches(self.good).count() != 1 {
            bail!(
                "{} doesn't have `{}` once, which {} replaces",
                self.file,
                self.good,
                self.name
            );
        }
        fs::write(&path, text.replace(self.good, self.bad))
            .with_context(|| format!("failed to write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_number_of_programs_can_be_chosen() {
        assert_eq!(parsed("").expect("valid"), Args::Programs(PROGRAMS));
        assert_eq!(parsed("--programs 7").expect("valid"), Args::Programs(7));
        assert_eq!(parsed("--mutants").expect("valid"), Args::Mutants);
        let mistake = parsed("--programs many").expect_err("no number").to_string();
        assert!(mistake.contains("--programs many"), "{mistake}");
        assert!(parsed("--everything").is_err());
    }

    #[test]
    fn what_a_mutant_replaces_is_there() {
        for mutant in MUTANTS {
            let text = fs::read_to_string(root().join(mutant.file)).expect(mutant.file);
            assert_eq!(text.matches(mutant.good).count(), 1, "{}", mutant.name);
        }
    }
}
