//! The options of tests.

use std::num::NonZeroUsize;
use std::time::Duration;

use syn::{Expr, ExprLit, Lit, Path};

use super::OptionKey;
use super::values::{Values, check_duration, check_path, check_timeout, check_twice, number, text};
use crate::args::OptionArg;
use crate::errors::Errors;

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

fn check_retries(key: OptionKey, value: &Expr) -> syn::Result<u32> {
    number(value).ok_or_else(|| key.misfit(value, &format!("a whole number from 0 to {}", u32::MAX)))
}

fn check_workers(key: OptionKey, value: &Expr) -> syn::Result<NonZeroUsize> {
    number(value).ok_or_else(|| key.misfit(value, "a whole number greater than 0"))
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
