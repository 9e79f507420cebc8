//! The annotated function, and what of it can't be a test.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Path, ReturnType, Safety, Signature, Token, Type, Visibility};

use crate::errors::Errors;

/// A function whose body nobody looks into.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !starts_function(input) {
            return Err(input.error("only a function can have this attribute; move it to a `fn`"));
        }
        let sig = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error("the function needs a body; write `{ ... }` instead of `;`"));
        }
        Ok(Self {
            attrs,
            vis,
            sig,
            body: input.parse()?,
        })
    }
}

fn starts_function(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![const])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
}

/// What makes the function known to the test harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harness {
    /// The `#[test]` that we emit.
    Ours,
    /// The user's `#[test]`, or `#[rstest]`, or a harness of their own that calls the function.
    Theirs,
}

impl Function {
    /// Judges all but the parameters.
    pub(crate) fn check(&self, errors: &mut Errors) -> Harness {
        self.check_qualifiers("a test", errors);
        self.check_generics(errors);
        self.check_attributes(errors);
        self.check_serial(errors);
        let known = self
            .attrs
            .iter()
            .any(|attr| is_plain_test(attr.path()) || is_rstest(attr.path()));
        if known { Harness::Theirs } else { Harness::Ours }
    }

    /// Judges all of a fixture but the parameters.
    pub(crate) fn check_fixture(&self, errors: &mut Errors) {
        self.check_qualifiers("a fixture", errors);
        if let ReturnType::Type(_, ty) = &self.sig.output
            && let Type::ImplTrait(_) | Type::Reference(_) = &**ty
        {
            errors.at(
                ty,
                "a fixture returns a value of its own, of a type with a name; write for example `-> Api` or `-> Result<Api, E>`",
            );
        }
        for attr in &self.attrs {
            if is_named(attr.path(), "fixture") || is_plain_test(attr.path()) {
                errors.at(
                    attr.path(),
                    "this function is an `#[itest::fixture]` already; remove the other attribute",
                );
            }
        }
    }

    fn check_qualifiers(&self, what: &str, errors: &mut Errors) {
        if let Some(token) = &self.sig.constness {
            errors.at(token, format!("{what} can't be a `const fn`; remove `const`"));
        }
        if let Safety::Unsafe(token) = &self.sig.safety {
            errors.at(
                token,
                format!("{what} can't be an `unsafe fn`; remove it and write `unsafe {{ ... }}` in the body"),
            );
        }
        if let Some(abi) = &self.sig.abi {
            errors.at(abi, format!("{what} can't be an `extern` function; write a plain `fn`"));
        }
        if let Some(variadic) = &self.sig.variadic {
            errors.at(
                variadic,
                format!("{what} can't take a variable number of arguments; remove `...`"),
            );
        }
    }

    fn check_generics(&self, errors: &mut Errors) {
        for param in &self.sig.generics.params {
            // rstest adds lifetimes of its own.
            let name: &Ident = match param {
                syn::GenericParam::Lifetime(_) => continue,
                syn::GenericParam::Type(param) => &param.ident,
                syn::GenericParam::Const(param) => &param.ident,
            };
            errors.at(
                name,
                format!("nobody could choose `{name}` for a test; write a concrete type instead"),
            );
        }
    }

    /// `#[serial]` above this attribute has been expanded before, and has thrown the parameters away.
    fn check_serial(&self, errors: &mut Errors) {
        if self.sig.inputs.is_empty() && calls_serial(self.body.clone()) {
            errors.at(
                &self.sig.ident,
                "`#[serial]` and `#[parallel]` of serial_test take the parameters away: write them below `#[integration(...)]`",
            );
        }
    }
    fn check_attributes(&self, errors: &mut Errors) {
        for attr in &self.attrs {
            let path = attr.path();
            if is_named(path, "integration") {
                errors.at(
                    path,
                    "this test is annotated twice; declare all services in one attribute",
                );
            } else if let Some(written) = FOREIGN.into_iter().find(|foreign| joined(path) == *foreign) {
                let message =
                    format!("`#[{written}]` would run the test once more; remove it, this attribute suffices");
                errors.at(path, message);
            } else if is_named(path, "awt") && self.attrs.iter().any(|attr| is_rstest(attr.path())) {
                errors.at(path, AWT);
            }
        }
    }
}

/// Whether a body is what `serial_test` makes of one: a call of its `local_async_serial_core`, or one of its kind.
fn calls_serial(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Group(group) => calls_serial(group.stream()),
        TokenTree::Ident(name) => {
            let name = name.to_string();
            name.contains("_serial_core") || name.contains("_parallel_core")
        }
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Attributes that make a test of a function, each with a runtime of its own.
const FOREIGN: [&str; 4] = ["tokio::test", "sqlx::test", "async_std::test", "itest::test"];

pub(crate) const AWT: &str =
    "rstest can't await here, as the test it sees isn't async; remove `awt` and await the future in the body";

fn is_plain_test(path: &Path) -> bool {
    matches!(
        joined(path).as_str(),
        "test" | "core::prelude::v1::test" | "std::prelude::v1::test"
    )
}

fn is_rstest(path: &Path) -> bool {
    is_named(path, "rstest")
}

pub(crate) fn is_named(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// The path as users write it, without a leading `::`.
fn joined(path: &Path) -> String {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    names.join("::")
}

/// Whether an attribute only sets lint levels.
pub(crate) fn is_lint(attr: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"]
        .into_iter()
        .any(|level| attr.path().is_ident(level))
}

/// Whether `word` stands in the attribute's parentheses.
pub(crate) fn has_argument(attr: &Attribute, word: &str) -> bool {
    attr.meta.require_list().is_ok_and(|list| {
        list.tokens
            .clone()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(ident) if ident == word))
    })
}
