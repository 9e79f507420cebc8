//! The parameters of a test or a fixture: who fills each, and how it is passed.

use syn::{Attribute, Expr, FnArg, Ident, Meta, Pat, PatType, Type};

use crate::errors::Errors;
use crate::signature::{AWT, Function, has_argument, is_lint};

pub(crate) struct Param {
    pub(crate) ident: Ident,
    pub(crate) filled: Filled,
}

pub(crate) enum Filled {
    /// By `itest`, with a value of this type (without the reference).
    Injected { ty: Type, pass: Pass },
    /// By rstest: the parameter is one of the wrapper's, with these attributes.
    ByRstest { attrs: Vec<Attribute>, ty: Type },
    /// By whoever names the fixture in an attribute, or with the default.
    AsOption { ty: Box<Type>, default: Option<Box<Expr>> },
    /// With the folder of what a run shares.
    WithFolder { is_reference: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Value,
    Shared,
    Exclusive,
}

impl Param {
    pub(crate) fn is_injected(&self) -> bool {
        matches!(self.filled, Filled::Injected { .. })
    }

    /// Reads all parameters of a test; those with mistakes are left out.
    pub(crate) fn check_test(function: &Function, errors: &mut Errors) -> Vec<Self> {
        Self::check_all("a test", function, errors, |arg, errors| {
            if arg.attrs.iter().all(stays_inside) {
                check_injected(&arg.ty, errors)
            } else {
                Some(by_rstest(arg, errors))
            }
        })
    }

    /// Reads all parameters of a fixture; those with mistakes are left out.
    pub(crate) fn check_fixture(function: &Function, errors: &mut Errors) -> Vec<Self> {
        Self::check_all("a fixture", function, errors, |arg, errors| {
            let mut marks = arg.attrs.iter().filter(|attr| !stays_inside(attr));
            let filled = match marks.next() {
                None => check_injected(&arg.ty, errors),
                Some(mark) => check_option(mark, &arg.ty, errors),
            };
            if let Some(more) = marks.next() {
                errors.at(
                    more,
                    "a parameter of a fixture has one attribute at most; remove this one",
                );
            }
            filled
        })
    }

    fn check_all(
        what: &str,
        function: &Function,
        errors: &mut Errors,
        fill: impl Fn(&PatType, &mut Errors) -> Option<Filled>,
    ) -> Vec<Self> {
        let check = |arg: &FnArg| match arg {
            FnArg::Receiver(receiver) => {
                errors.at(
                    receiver.self_token,
                    format!("{what} has no `self`; move it out of the `impl`"),
                );
                None
            }
            FnArg::Typed(arg) => Self::check(arg, errors, &fill),
        };
        function.sig.inputs.iter().filter_map(check).collect()
    }

    fn check(
        arg: &PatType,
        errors: &mut Errors,
        fill: impl Fn(&PatType, &mut Errors) -> Option<Filled>,
    ) -> Option<Self> {
        let ident = check_name(arg, errors);
        if let Some(cfg) = arg
            .attrs
            .iter()
            .find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
        {
            errors.at(
                cfg,
                "a parameter can't be conditional; write two functions and put `#[cfg]` on them",
            );
            return None;
        }
        let filled = fill(arg, errors)?;
        Some(Self { ident: ident?, filled })
    }
}

fn check_name(arg: &PatType, errors: &mut Errors) -> Option<Ident> {
    match &*arg.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => return Some(pat.ident.clone()),
        Pat::Wild(pat) => errors.at(pat, "a parameter needs a name; write for example `_db`"),
        pat => errors.at(pat, "a parameter is a plain name; take it apart in the body"),
    }
    None
}

fn check_injected(ty: &Type, errors: &mut Errors) -> Option<Filled> {
    let Type::Reference(reference) = ungrouped(ty) else {
        return Some(Filled::Injected {
            ty: ty.clone(),
            pass: Pass::Value,
        });
    };
    if let Type::Reference(_) = ungrouped(&reference.elem) {
        errors.at(
            ty,
            "a reference to a reference can't be injected; write `&T` or `&mut T`",
        );
        return None;
    }
    let pass = if reference.mutability.is_some() {
        Pass::Exclusive
    } else {
        Pass::Shared
    };
    Some(Filled::Injected {
        ty: (*reference.elem).clone(),
        pass,
    })
}

/// `#[default(2)]`, or `#[option]` for one that has to be said.
fn check_option(mark: &Attribute, ty: &Type, errors: &mut Errors) -> Option<Filled> {
    let ty = Box::new(ty.clone());
    if mark.path().is_ident("option") && matches!(mark.meta, Meta::Path(_)) {
        return Some(Filled::AsOption { ty, default: None });
    }
    if mark.path().is_ident("folder") && matches!(mark.meta, Meta::Path(_)) {
        let is_reference = matches!(ungrouped(&ty), Type::Reference(_));
        return Some(Filled::WithFolder { is_reference });
    }
    if mark.path().is_ident("default") {
        return match mark.parse_args::<Expr>() {
            Ok(value) => Some(Filled::AsOption {
                ty,
                default: Some(Box::new(value)),
            }),
            Err(_) => {
                errors.at(
                    mark,
                    "`#[default]` needs the option's value; write for example `#[default(2)]`",
                );
                None
            }
        };
    }
    errors.at(
        mark,
        "a parameter of a fixture is made for it, or an option; write `#[default(value)]` or `#[option]`, or remove the attribute",
    );
    None
}

fn by_rstest(arg: &PatType, errors: &mut Errors) -> Filled {
    let future = arg.attrs.iter().find(|attr| attr.path().is_ident("future"));
    if let Some(attr) = future.filter(|attr| has_argument(attr, "awt")) {
        errors.at(attr, AWT);
    }
    Filled::ByRstest {
        attrs: arg.attrs.clone(),
        ty: (*arg.ty).clone(),
    }
}

/// Whether an attribute of a parameter doesn't mean that someone else fills it.
fn stays_inside(attr: &Attribute) -> bool {
    // rstest's `#[ignore]` says that it doesn't fill this one.
    is_lint(attr) || attr.path().is_ident("doc") || attr.path().is_ident("ignore")
}

/// The type inside the invisible parentheses that a `macro_rules!` puts around its `$ty:ty`.
fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}
