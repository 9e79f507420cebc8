//! What a person typed after `cargo xtask bench`.

use anyhow::{Result, bail};

pub(crate) const USAGE: &str = "\
Measures what isolation costs against tests that have none: on processes, and in containers if an engine answers.

usage:
  cargo xtask bench [--runs N | --quick] [--build] [--write]

  --runs N   measure everything N times (5)
  --quick    measure once: to see that it works
  --build    measure clean builds and relinking as well: takes some minutes more
  --write    put the tables into docs/performance.md; those of what was not measured stay";

const RUNS: usize = 5;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Args {
    pub(super) help: bool,
    pub(super) runs: usize,
    pub(super) pace: Pace,
    pub(super) build: bool,
    pub(super) write: bool,
}

/// How much is measured in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Quick,
    Full,
}

impl Args {
    pub(super) fn parse(args: &[String]) -> Result<Self> {
        let mut parsed = Self {
            help: false,
            runs: RUNS,
            pace: Pace::Full,
            build: false,
            write: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" | "-h" => parsed.help = true,
                "--build" => parsed.build = true,
                "--write" => parsed.write = true,
                "--quick" => (parsed.pace, parsed.runs) = (Pace::Quick, 1),
                "--runs" => match args.next().map(|count| count.parse()) {
                    Some(Ok(count)) if count > 0 => parsed.runs = count,
                    _ => bail!("`--runs` needs a number from 1 on, such as `--runs 5`"),
                },
                other => bail!(
                    "unknown argument `{other}` of `bench`; its arguments are `--runs N`, `--quick`, `--build` and `--write`"
                ),
            }
        }
        if parsed.write && parsed.pace == Pace::Quick {
            bail!("one quick run is nothing to publish; leave `--quick` or `--write` out");
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args> {
        Args::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_number_of_rounds_can_be_chosen() {
        assert_eq!(parsed("").expect("valid").runs, RUNS);
        assert_eq!(parsed("--runs 9").expect("valid").runs, 9);
        assert_eq!(parsed("--quick").expect("valid").runs, 1);
    }

    #[test]
    fn a_mistake_is_named_with_what_is_valid() {
        for (line, part) in [
            ("--runs", "`--runs 5`"),
            ("--runs 0", "`--runs 5`"),
            ("--fast", "`--quick`"),
            ("--quick --write", "leave `--quick`"),
        ] {
            let mistake = parsed(line).expect_err(line).to_string();
            assert!(mistake.contains(part), "{line}: {mistake}");
        }
    }
}
