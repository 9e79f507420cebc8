//! The stages in order, and what is left of a function that has mistakes.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::errors::Errors;
use crate::expand::{expand, expand_fixture, stub};
use crate::model::{Fixture, Test};
use crate::options::Attribute;
use crate::signature::Function;

pub(crate) fn integration(args: TokenStream, item: &TokenStream) -> TokenStream {
    of_function(item, |function| check(args, function).map(|test| expand(&test)))
}

pub(crate) fn fixture(args: TokenStream, item: &TokenStream) -> TokenStream {
    of_function(item, |function| {
        check_fixture(args, function).map(|fixture| expand_fixture(&fixture))
    })
}

fn of_function(item: &TokenStream, written: impl FnOnce(&Function) -> syn::Result<TokenStream>) -> TokenStream {
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_errors(&error, item),
    };
    written(&function).unwrap_or_else(|error| with_errors(&error, &stub(&function)))
}

/// Reads and judges everything, and fails with all mistakes together.
pub(crate) fn check(args: TokenStream, function: &Function) -> syn::Result<Test> {
    let mut errors = Errors::default();
    let args = Args::parse(args, Attribute::Test, &mut errors);
    let test = Test::check(args, function, &mut errors);
    errors.finish()?;
    Ok(test)
}

/// The same for a fixture.
pub(crate) fn check_fixture(args: TokenStream, function: &Function) -> syn::Result<Fixture> {
    let mut errors = Errors::default();
    let args = Args::parse(args, Attribute::Fixture, &mut errors);
    let fixture = Fixture::check(args, function, &mut errors);
    errors.finish()?;
    Ok(fixture)
}

fn with_errors(error: &syn::Error, item: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #item }
}
