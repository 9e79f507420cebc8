//! One attempt at a test: inject the parameters, call the function, give back what was lent.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Index;

use super::{inject, moved_to, our, variable};
use crate::model::Test;
use crate::params::{Filled, Param};

/// Puts what rstest passed to the wrapper where the attempts find it.
pub(super) fn hand_over(test: &Test) -> TokenStream {
    let names: Vec<_> = by_rstest(test).map(|param| &param.ident).collect();
    let passed = our("passed");
    match (names.is_empty(), test.options.retries) {
        (true, _) => TokenStream::new(),
        (false, 0) => quote! { let mut #passed = ::core::option::Option::Some((#(#names,)*)); },
        (false, _) => quote! { let #passed = (#(#names,)*); },
    }
}

pub(super) fn attempt(test: &Test, itest: &TokenStream) -> TokenStream {
    let (held, judged) = (our("held"), our("verdict"));
    let taken = take(test);
    let injections = inject::injections(&test.callee, itest);
    let verdict = verdict(test, itest);
    let call = if test.callee.sig.asyncness.is_some() {
        let call = inject::call(&test.callee);
        quote! { #call #verdict }
    } else {
        // What rstest passes may borrow from the wrapper: it can't go to another thread.
        let blocking = if by_rstest(test).next().is_some() {
            quote! { blocking_here }
        } else {
            quote! { blocking }
        };
        inject::call_blocking(&test.callee, &blocking, &verdict, &judged, itest)
    };
    let finishes = inject::lent(&test.callee).map(|variable| quote! { let #judged = #variable.finish(#judged).await; });
    quote! {
        async move |#held| {
            #taken
            #injections
            #call
            #(#finishes)*
            ::core::result::Result::Ok::<_, #itest::Error>(#judged)
        }
    }
}

fn take(test: &Test) -> TokenStream {
    let variables: Vec<_> = by_rstest(test).map(variable).collect();
    let passed = our("passed");
    match (variables.is_empty(), test.options.retries) {
        (true, _) => TokenStream::new(),
        (false, 0) => quote! { let (#(#variables,)*) = #passed.take().expect("the only attempt"); },
        (false, _) => {
            let index = (0..variables.len()).map(Index::from);
            quote! { let (#(#variables,)*) = (#(::core::clone::Clone::clone(&#passed.#index),)*); }
        }
    }
}

/// Judges what the function returned.
fn verdict(test: &Test, itest: &TokenStream) -> TokenStream {
    let (judged, outcome) = (our("verdict"), inject::outcome(&test.callee));
    let place = outcome.span();
    let itest = moved_to(place, itest);
    quote_spanned! {place=> let #judged = #itest::Verdict::of(#outcome); }
}

fn by_rstest(test: &Test) -> impl Iterator<Item = &Param> {
    let is_theirs = |param: &&Param| matches!(param.filled, Filled::ByRstest { .. });
    test.callee.params.iter().filter(is_theirs)
}
