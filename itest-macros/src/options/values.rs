//! What is written after the `=` of an option.

use std::str::FromStr;
use std::time::Duration;

use syn::{Expr, ExprLit, Lit, Path};

use super::OptionKey;
use crate::args::OptionArg;
use crate::errors::Errors;

/// What was written, and where mistakes go.
pub(super) struct Values<'a> {
    pub(super) args: &'a [OptionArg],
    pub(super) errors: &'a mut Errors,
}

impl<'a> Values<'a> {
    pub(super) fn find(&self, key: OptionKey) -> Option<&'a OptionArg> {
        self.args.iter().find(|arg| arg.key == key)
    }

    pub(super) fn check<T>(
        &mut self,
        key: OptionKey,
        check: impl FnOnce(OptionKey, &Expr) -> syn::Result<T>,
    ) -> Option<T> {
        let value = check(key, self.find(key)?.value.as_ref()?);
        value.map_err(|error| self.errors.push(error)).ok()
    }
}

pub(super) fn check_twice(args: &[OptionArg], errors: &mut Errors) {
    for (index, arg) in args.iter().enumerate() {
        if args[..index].iter().any(|earlier| earlier.key == arg.key) {
            errors.at(&arg.word, format!("`{}` is given twice; remove one of them", arg.word));
        }
    }
}

pub(super) fn check_timeout(key: OptionKey, value: &Expr) -> syn::Result<Duration> {
    let timeout = check_duration(key, value)?;
    if timeout.is_zero() {
        return Err(key.misfit(value, "longer than nothing"));
    }
    Ok(timeout)
}

pub(super) fn check_duration(key: OptionKey, value: &Expr) -> syn::Result<Duration> {
    text(value)
        .and_then(|text| humantime::parse_duration(&text).ok())
        .ok_or_else(|| key.misfit(value, "a duration with its unit, in quotes"))
}

pub(super) fn check_path(key: OptionKey, value: &Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.attrs.is_empty() && path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(key.misfit(value, "a path")),
    }
}

pub(super) fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text.value()),
        Expr::Group(group) => text(&group.expr),
        _ => None,
    }
}

pub(super) fn number<N: FromStr<Err: std::fmt::Display>>(value: &Expr) -> Option<N> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number), ..
        }) => number.base10_parse().ok(),
        Expr::Group(group) => self::number(&group.expr),
        _ => None,
    }
}
