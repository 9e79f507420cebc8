//! The stages in order, and what is left of a test that has mistakes.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::errors::Errors;
use crate::expand::{expand, stub};
use crate::model::Test;
use crate::signature::Function;

pub(crate) fn integration(args: TokenStream, item: &TokenStream) -> TokenStream {
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_errors(&error, item),
    };
    match check(args, &function) {
        Ok(test) => expand(&test),
        Err(error) => with_errors(&error, &stub(&function)),
    }
}

/// Reads and judges everything, and fails with all mistakes together.
pub(crate) fn check(args: TokenStream, function: &Function) -> syn::Result<Test> {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let test = Test::check(args, function, &mut errors);
    errors.finish()?;
    Ok(test)
}

fn with_errors(error: &syn::Error, item: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #item }
}
