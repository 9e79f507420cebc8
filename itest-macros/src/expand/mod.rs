//! Writes the test: the user's function, a static that describes the test, and one call of the runtime. Or the fixture: a builder,
//! and how its value is made.

mod attempt;
mod case;
mod fixture;
mod inject;
mod services;

pub(crate) use fixture::expand_fixture;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, Ident};

use crate::model::{Callee, Test};
use crate::params::{Filled, Param};
use crate::signature::{Function, Harness, is_lint};

pub(crate) fn expand(test: &Test) -> TokenStream {
    let Callee {
        attrs,
        vis,
        sig,
        body,
        params,
        services,
        facade,
    } = &test.callee;
    let itest = &quote! { #facade::__private };
    let name = &sig.ident;
    let (generics, _, conditions) = sig.generics.split_for_impl();
    let outer_params = params.iter().filter_map(outer_param);
    // Last, so that a macro among the user's attributes, which may fill the parameters, comes before the harness.
    let harness = match test.harness {
        Harness::Ours => quote! { #[::core::prelude::v1::test] },
        Harness::Theirs => TokenStream::new(),
    };
    let case = case::case(test, itest);
    let slots = services::slots(services, itest);
    let handed_over = attempt::hand_over(test);
    let attempt = attempt::attempt(test, itest);
    quote! {
        #(#attrs)*
        #harness
        #vis fn #name #generics (#(#outer_params),*) #conditions {
            // A test's signature says what it is given, whatever it does with it.
            #[allow(clippy::unused_async, clippy::needless_pass_by_value, clippy::unnecessary_wraps,
                clippy::ptr_arg, clippy::trivially_copy_pass_by_ref)]
            #sig #body

            #case

            #handed_over
            #itest::run(&__ITEST_CASE, || #slots, #attempt);
        }
    }
}

/// What takes the place of a test that has mistakes: the function, so that its body is still checked, but not a test.
pub(crate) fn stub(function: &Function) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let attrs = attrs.iter().filter(|attr| is_lint(attr) || attr.path().is_ident("cfg"));
    let mut sig = sig.clone();
    for arg in &mut sig.inputs {
        match arg {
            FnArg::Typed(arg) => arg.attrs.clear(),
            FnArg::Receiver(arg) => arg.attrs.clear(),
        }
    }
    quote! {
        #(#attrs)*
        #[allow(dead_code, unused)]
        #vis #sig #body
    }
}

fn outer_param(param: &Param) -> Option<TokenStream> {
    let Filled::ByRstest { attrs, ty, .. } = &param.filled else {
        return None;
    };
    let name = &param.ident;
    Some(quote! { #(#attrs)* #name: #ty })
}

/// A variable of ours: no name of the user's can mean it, nor it any of theirs.
fn our(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The place of generated tokens that the compiler shows when it complains of what the user wrote there.
fn shown_at(written: &impl Spanned) -> Span {
    Span::mixed_site().located_at(written.span())
}

/// The same tokens, shown there.
fn moved_to(place: Span, tokens: &TokenStream) -> TokenStream {
    let moved = tokens.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    moved.collect()
}

/// The variable that holds what `param` gets. Its prefix tells it from those of [`our`] names.
fn variable(param: &Param) -> Ident {
    format_ident!("given_{}", param.ident.unraw(), span = shown_at(&param.ident))
}
