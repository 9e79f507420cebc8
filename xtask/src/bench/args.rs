//! What a person typed after `cargo xtask bench`.

use anyhow::{Result, bail};

pub(crate) const USAGE: &str = "\
Measures what isolation costs against tests that have none: on processes, and in containers if an engine answers; and what
itest adds to a build.

usage:
  cargo xtask bench [--runs N | --quick] [--only PART]… [--write]
  cargo xtask bench --draw

  --runs N      measure everything N times (5)
  --quick       measure once: to see that it works
  --only PART   measure this part alone: `native`, `kinds`, `large`, `services`, `containers`, `soak` or `build` (all of them)
  --write       put the tables into docs/performance.md; those of what was not measured stay
  --draw        measure nothing: draw the charts in docs/charts anew, from the tables of that page";

const RUNS: usize = 5;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Args {
    pub(super) help: bool,
    pub(super) runs: usize,
    pub(super) pace: Pace,
    /// None means all.
    only: Vec<Part>,
    pub(super) write: bool,
    pub(super) draw: bool,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Native,
    Kinds,
    Large,
    Services,
    Containers,
    Soak,
    Build,
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
            only: Vec::new(),
            write: false,
            draw: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" | "-h" => parsed.help = true,
                "--only" => parsed.only.push(Part::parse(args.next())?),
                "--write" => parsed.write = true,
                "--draw" => parsed.draw = true,
                "--quick" => (parsed.pace, parsed.runs) = (Pace::Quick, 1),
                "--runs" => match args.next().map(|count| count.parse()) {
                    Some(Ok(count)) if count > 0 => parsed.runs = count,
                    _ => bail!("`--runs` needs a number from 1 on, such as `--runs 5`"),
                },
                other => bail!(
                    "unknown argument `{other}` of `bench`; its arguments are `--runs N`, `--quick`, `--only PART`, `--write` and `--draw`"
                ),
            }
        }
        if parsed.write && parsed.pace == Pace::Quick {
            bail!("one quick run is nothing to publish; leave `--quick` or `--write` out");
        }
        Ok(parsed)
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

impl Part {
    fn parse(word: Option<&String>) -> Result<Self> {
        match word.map(String::as_str) {
            Some("native") => Ok(Self::Native),
            Some("containers") => Ok(Self::Containers),
            Some("kinds") => Ok(Self::Kinds),
            Some("large") => Ok(Self::Large),
            Some("services") => Ok(Self::Services),
            Some("soak") => Ok(Self::Soak),
            Some("build") => Ok(Self::Build),
            other => bail!(
                "`--only {}` names no part of the bench; its parts are `native`, `kinds`, `large`, `services`, `containers`, `soak` and `build`",
                other.unwrap_or_default()
            ),
        }
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
    fn all_is_measured_unless_parts_are_named() {
        let parts = |line| {
            let parsed = parsed(line).expect("valid");
            [Part::Native, Part::Containers, Part::Build].map(|part| parsed.has(part))
        };
        assert_eq!(parts(""), [true; 3]);
        assert_eq!(parts("--only build"), [false, false, true]);
        assert_eq!(parts("--only native --only containers"), [true, true, false]);
    }

    #[test]
    fn a_mistake_is_named_with_what_is_valid() {
        for (line, part) in [
            ("--runs", "`--runs 5`"),
            ("--runs 0", "`--runs 5`"),
            ("--fast", "`--quick`"),
            ("--only", "`containers`"),
            ("--only nothing", "`--only nothing`"),
            ("--quick --write", "leave `--quick`"),
        ] {
            let mistake = parsed(line).expect_err(line).to_string();
            assert!(mistake.contains(part), "{line}: {mistake}");
        }
    }
}
