//! The test options: which there are, and what values they take.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use syn::{Expr, ExprLit, Ident, Lit, Path};

use crate::args::OptionArg;
use crate::errors::Errors;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKey {
    Timeout,
    Retries,
    RetryDelay,
    Flavor,
    WorkerThreads,
    Crate,
    Harness,
    Teardown,
    TeardownTimeout,
    Shared,
}

/// Whose parentheses are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// `#[integration(...)]`
    Test,
    /// `#[itest::fixture(...)]`
    Fixture,
}

/// The test options of one test, with their defaults filled in.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) flavor: Flavor,
    /// Where the facade is, if the user says so.
    pub(crate) facade: Option<Path>,
    /// Whether a harness of the user's own calls the function.
    pub(crate) own_harness: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Flavor {
    #[default]
    CurrentThread,
    MultiThread {
        workers: Option<NonZeroUsize>,
    },
}

impl OptionKey {
    fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Retries => "retries",
            Self::RetryDelay => "retry_delay",
            Self::Flavor => "flavor",
            Self::WorkerThreads => "worker_threads",
            Self::Crate => "crate",
            Self::Harness => "harness",
            Self::Teardown => "teardown",
            Self::TeardownTimeout => "teardown_timeout",
            Self::Shared => "shared",
        }
    }

    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Timeout => "timeout = \"30s\"",
            Self::Retries => "retries = 2",
            Self::RetryDelay => "retry_delay = \"100ms\"",
            Self::Flavor => "flavor = \"multi_thread\"",
            Self::WorkerThreads => "worker_threads = 4",
            Self::Crate => "crate = my_crate::itest",
            Self::Harness => "harness = false",
            Self::Teardown => "teardown = stop",
            Self::TeardownTimeout => "teardown_timeout = \"5s\"",
            Self::Shared => "shared = \"run\"",
        }
    }

    /// Whether it says enough without a value.
    pub(crate) fn may_stand_alone(self) -> bool {
        self == Self::Shared
    }

    fn misfit(self, value: &Expr, expected: &str) -> syn::Error {
        let message = format!(
            "`{}` is {expected}; write for example `{}`",
            self.word(),
            self.example()
        );
        syn::Error::new_spanned(value, message)
    }
}

impl Attribute {
    fn options(self) -> &'static [OptionKey] {
        match self {
            Self::Test => &[
                OptionKey::Timeout,
                OptionKey::Retries,
                OptionKey::RetryDelay,
                OptionKey::Flavor,
                OptionKey::WorkerThreads,
                OptionKey::Crate,
                OptionKey::Harness,
            ],
            Self::Fixture => &[
                OptionKey::Teardown,
                OptionKey::TeardownTimeout,
                OptionKey::Shared,
                OptionKey::Crate,
            ],
        }
    }

    pub(crate) fn option(self, word: &Ident) -> Option<OptionKey> {
        self.options().iter().copied().find(|key| word == key.word())
    }

    pub(crate) fn an_option(self) -> &'static str {
        match self {
            Self::Test => "a test option",
            Self::Fixture => "an option of fixtures",
        }
    }

    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Test => {
                "expected a service or a test option; write for example `#[integration(postgres, timeout = \"30s\")]`"
            }
            Self::Fixture => {
                "expected a service or an option; write for example `#[itest::fixture(postgres, teardown = stop)]`"
            }
        }
    }

    /// The mistake of giving a value to a word that is not an option.
    pub(crate) fn unknown(self, word: &Ident) -> syn::Error {
        let (written, an_option) = (word.to_string(), self.an_option());
        let all = self.options().iter().map(|key| format!("`{}`", key.word()));
        let all = all.collect::<Vec<_>>().join(", ");
        let nearest = self
            .options()
            .iter()
            .map(|key| (strsim::damerau_levenshtein(&written, key.word()), key.word()))
            .min()
            // Beyond two slips of the hand, another word was meant.
            .filter(|(slips, _)| *slips <= 2);
        let message = match nearest {
            Some((_, nearest)) => format!("`{word}` is not {an_option}; write `{nearest}` (there are {all})"),
            None => format!("`{word}` is not {an_option}; write one of {all}, or put it in a service's parentheses"),
        };
        syn::Error::new_spanned(word, message)
    }
}

/// What a fixture's attribute asks besides services, with the defaults filled in.
#[derive(Default)]
pub(crate) struct FixtureOptions {
    /// The function that takes the value down.
    pub(crate) teardown: Option<Path>,
    pub(crate) teardown_timeout: Option<Duration>,
    /// By whom the value is shared.
    pub(crate) shared: Option<Shared>,
    /// Where the facade is, if the user says so.
    pub(crate) facade: Option<Path>,
}

/// Who shares a fixture's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// All tests of one process.
    Process,
    /// All processes of one run.
    Run,
}

impl FixtureOptions {
    pub(crate) fn check(args: &[OptionArg], errors: &mut Errors) -> Self {
        check_twice(args, errors);
        let mut values = Values { args, errors };
        let options = Self {
            teardown: values.check(OptionKey::Teardown, check_path),
            teardown_timeout: values.check(OptionKey::TeardownTimeout, check_timeout),
            shared: check_shared(&mut values),
            facade: values.check(OptionKey::Crate, check_path),
        };
        if let Some(arg) = values.find(OptionKey::TeardownTimeout)
            && values.find(OptionKey::Teardown).is_none()
        {
            let message = "`teardown_timeout` limits a teardown, and there is none; add `teardown = stop`";
            values.errors.at(&arg.word, message);
        }
        if let Some(arg) = values.find(OptionKey::Teardown)
            && options.shared.is_some()
        {
            let message = "what is shared outlives every test, and nobody takes it down; remove `teardown` or `shared`";
            values.errors.at(&arg.word, message);
        }
        options
    }
}

fn check_shared(values: &mut Values<'_>) -> Option<Shared> {
    let arg = values.find(OptionKey::Shared)?;
    let Some(value) = &arg.value else {
        return Some(Shared::Process);
    };
    match text(value).as_deref() {
        Some("process") => Some(Shared::Process),
        Some("run") => Some(Shared::Run),
        _ => {
            let misfit = OptionKey::Shared.misfit(value, "`\"process\"`, as it is alone, or `\"run\"`");
            values.errors.push(misfit);
            None
        }
    }
}

fn check_twice(args: &[OptionArg], errors: &mut Errors) {
    for (index, arg) in args.iter().enumerate() {
        if args[..index].iter().any(|earlier| earlier.key == arg.key) {
            errors.at(&arg.word, format!("`{}` is given twice; remove one of them", arg.word));
        }
    }
}

impl Options {
    pub(crate) fn check(args: &[OptionArg], errors: &mut Errors) -> Self {
        check_twice(args, errors);
        let mut values = Values { args, errors };
        Self {
            timeout: values.check(OptionKey::Timeout, check_timeout),
            retries: values.check(OptionKey::Retries, check_retries).unwrap_or_default(),
            retry_delay: values.check(OptionKey::RetryDelay, check_duration).unwrap_or_default(),
            flavor: check_flavor(&mut values),
            facade: values.check(OptionKey::Crate, check_path),
            own_harness: values.check(OptionKey::Harness, check_harness).is_some(),
        }
    }
}

struct Values<'a> {
    args: &'a [OptionArg],
    errors: &'a mut Errors,
}

impl<'a> Values<'a> {
    fn find(&self, key: OptionKey) -> Option<&'a OptionArg> {
        self.args.iter().find(|arg| arg.key == key)
    }

    fn check<T>(&mut self, key: OptionKey, check: impl FnOnce(OptionKey, &Expr) -> syn::Result<T>) -> Option<T> {
        let value = check(key, self.find(key)?.value.as_ref()?);
        value.map_err(|error| self.errors.push(error)).ok()
    }
}

fn check_flavor(values: &mut Values<'_>) -> Flavor {
    let workers = values.check(OptionKey::WorkerThreads, check_workers);
    let flavor = values.check(OptionKey::Flavor, |key, value| match text(value).as_deref() {
        Some("multi_thread") => Ok(Flavor::MultiThread { workers }),
        Some("current_thread") => Ok(Flavor::CurrentThread),
        _ => Err(key.misfit(value, "`\"multi_thread\"` or `\"current_thread\"`")),
    });
    let judged = flavor.is_some() || values.find(OptionKey::Flavor).is_none();
    let flavor = flavor.unwrap_or_default();
    if let Some(arg) = values.find(OptionKey::WorkerThreads)
        && judged
        && flavor == Flavor::CurrentThread
    {
        let message = "`worker_threads` is for the multi-thread runtime; add `flavor = \"multi_thread\"`";
        values.errors.at(&arg.word, message);
    }
    flavor
}

fn check_timeout(key: OptionKey, value: &Expr) -> syn::Result<Duration> {
    let timeout = check_duration(key, value)?;
    if timeout.is_zero() {
        return Err(key.misfit(value, "longer than nothing"));
    }
    Ok(timeout)
}

fn check_duration(key: OptionKey, value: &Expr) -> syn::Result<Duration> {
    text(value)
        .and_then(|text| humantime::parse_duration(&text).ok())
        .ok_or_else(|| key.misfit(value, "a duration with its unit, in quotes"))
}

fn check_retries(key: OptionKey, value: &Expr) -> syn::Result<u32> {
    number(value).ok_or_else(|| key.misfit(value, &format!("a whole number from 0 to {}", u32::MAX)))
}

fn check_workers(key: OptionKey, value: &Expr) -> syn::Result<NonZeroUsize> {
    number(value).ok_or_else(|| key.misfit(value, "a whole number greater than 0"))
}

fn check_path(key: OptionKey, value: &Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.attrs.is_empty() && path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(key.misfit(value, "a path")),
    }
}

/// As in Cargo.toml; that the standard harness is used needs no saying.
fn check_harness(key: OptionKey, value: &Expr) -> syn::Result<()> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(harness),
            ..
        }) if !harness.value => Ok(()),
        _ => Err(key.misfit(value, "`false` or not given")),
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text.value()),
        Expr::Group(group) => text(&group.expr),
        _ => None,
    }
}

fn number<N: FromStr<Err: std::fmt::Display>>(value: &Expr) -> Option<N> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number), ..
        }) => number.base10_parse().ok(),
        Expr::Group(group) => self::number(&group.expr),
        _ => None,
    }
}
