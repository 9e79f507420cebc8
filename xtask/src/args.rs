//! What a person typed after `cargo xtask`.

pub(crate) const USAGE: &str = "\
The project's own commands.

usage:
  cargo xtask demo [-- ARGS]     run the example's tests on real servers; ARGS go to cargo nextest
  cargo xtask test [-- ARGS]     run all tests, under nextest and under cargo test; ARGS go to both
  cargo xtask bench [ARGS]       measure what isolation costs; `cargo xtask bench --help` tells more
  cargo xtask prove [ARGS]       run many random programs on recycled databases; `cargo xtask prove --help` tells more
  cargo xtask surface [--update] compare what the crates let others use with docs/public-items.txt, or write that file
  cargo xtask images [--fresh]   make container images of the servers from Debian's packages, without a registry
  cargo xtask ci [--keep-going]  run what CI runs; stop at the first failure unless told otherwise

demo, test, bench, prove and ci first see to what they need (database servers, cargo-nextest) and say what they install.
A server's programs are looked for in PATH and the usual places, or where ITEST_POSTGRES_BIN, ITEST_REDIS_BIN and
ITEST_MEMCACHED_BIN say. images needs a Docker engine that runs, and sees to mmdebstrap; it keeps images that are
there and still made of the same things, unless told otherwise.";

use crate::surface::Differing;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Demo { extra: Vec<String> },
    Test { extra: Vec<String> },
    Bench { args: Vec<String> },
    Prove { args: Vec<String> },
    Surface(Differing),
    Images(Make),
    Ci(AfterFailure),
}

/// Which images `images` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    /// Those that aren't there, or are made of other things than they would be now.
    Missing,
    /// All of them, and what they are based on.
    Anew,
}

/// What `ci` does with the steps that follow a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    Stop,
    KeepGoing,
}

/// Reads the arguments, or says what is wrong with them.
pub(crate) fn parse(args: &[String]) -> Result<Task, String> {
    let Some((subcommand, rest)) = args.split_first() else {
        return Ok(Task::Help);
    };
    if subcommand == "bench" {
        return Ok(Task::Bench { args: rest.to_vec() });
    }
    if subcommand == "prove" {
        return Ok(Task::Prove { args: rest.to_vec() });
    }
    let (own, extra) = match rest.iter().position(|arg| arg == "--") {
        Some(at) => (&rest[..at], Some(rest[at + 1..].to_vec())),
        None => (rest, None),
    };
    if own.iter().any(|arg| is_help(arg)) {
        return Ok(Task::Help);
    }
    match subcommand.as_str() {
        "help" => Ok(Task::Help),
        word if is_help(word) => Ok(Task::Help),
        "demo" => check_none("demo", own).map(|()| Task::Demo {
            extra: extra.unwrap_or_default(),
        }),
        "test" => check_none("test", own).map(|()| Task::Test {
            extra: extra.unwrap_or_default(),
        }),
        "surface" => parse_surface(rest).map(Task::Surface),
        "images" => parse_images(rest).map(Task::Images),
        "ci" => parse_ci(rest).map(Task::Ci),
        other => Err(format!(
            "unknown subcommand `{other}`; the subcommands are `demo`, `test`, `bench`, `prove`, `surface`, `images` and `ci`"
        )),
    }
}

fn is_help(arg: &str) -> bool {
    arg == "--help" || arg == "-h"
}

fn check_none(subcommand: &str, own: &[String]) -> Result<(), String> {
    match own.first() {
        None => Ok(()),
        Some(arg) => Err(format!(
            "unknown argument `{arg}` of `{subcommand}`; arguments for cargo come after `--`: \
             `cargo xtask {subcommand} -- {}`",
            own.join(" "),
        )),
    }
}

fn parse_images(args: &[String]) -> Result<Make, String> {
    Ok(match parse_flag("images", "--fresh", args)? {
        Flag::Given => Make::Anew,
        Flag::NotGiven => Make::Missing,
    })
}

fn parse_surface(args: &[String]) -> Result<Differing, String> {
    Ok(match parse_flag("surface", "--update", args)? {
        Flag::Given => Differing::Update,
        Flag::NotGiven => Differing::Fail,
    })
}

fn parse_ci(args: &[String]) -> Result<AfterFailure, String> {
    Ok(match parse_flag("ci", "--keep-going", args)? {
        Flag::Given => AfterFailure::KeepGoing,
        Flag::NotGiven => AfterFailure::Stop,
    })
}

enum Flag {
    Given,
    NotGiven,
}

/// For a subcommand whose only argument this is.
fn parse_flag(subcommand: &str, flag: &str, args: &[String]) -> Result<Flag, String> {
    match args.iter().find(|arg| *arg != flag) {
        Some(other) => Err(format!(
            "unknown argument `{other}` of `{subcommand}`; the only one is `{flag}`"
        )),
        None if args.is_empty() => Ok(Flag::NotGiven),
        None => Ok(Flag::Given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_and_help_in_any_place_print_the_usage() {
        for line in ["", "help", "--help", "-h", "test --help", "ci -h"] {
            assert_eq!(parsed(line), Ok(Task::Help), "{line}");
        }
    }

    #[test]
    fn what_follows_two_dashes_is_passed_on() {
        let extra = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(parsed("test"), Ok(Task::Test { extra: Vec::new() }));
        assert_eq!(
            parsed("test -- -p orders"),
            Ok(Task::Test {
                extra: extra(&["-p", "orders"])
            })
        );
        assert_eq!(
            parsed("demo -- --help -- --exact"),
            Ok(Task::Demo {
                extra: extra(&["--help", "--", "--exact"])
            })
        );
    }

    #[test]
    fn ci_and_images_take_one_flag_each() {
        assert_eq!(parsed("ci"), Ok(Task::Ci(AfterFailure::Stop)));
        assert_eq!(parsed("ci --keep-going"), Ok(Task::Ci(AfterFailure::KeepGoing)));
        assert_eq!(parsed("images"), Ok(Task::Images(Make::Missing)));
        assert_eq!(parsed("images --fresh"), Ok(Task::Images(Make::Anew)));
    }

    #[test]
    fn a_mistake_is_named_with_what_is_valid() {
        for (line, parts) in [
            (
                "tset",
                [
                    "`tset`",
                    "`demo`, `test`, `bench`, `prove`, `surface`, `images` and `ci`",
                ],
            ),
            ("test orders", ["`orders` of `test`", "cargo xtask test -- orders"]),
            ("ci --keepgoing", ["`--keepgoing` of `ci`", "`--keep-going`"]),
            ("images fresh", ["`fresh` of `images`", "`--fresh`"]),
            ("ci -- x", ["`--` of `ci`", "`--keep-going`"]),
        ] {
            let mistake = parsed(line).expect_err(line);
            assert!(parts.iter().all(|part| mistake.contains(part)), "{mistake}");
        }
    }
}
