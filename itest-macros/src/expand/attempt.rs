//! One attempt at a test: inject the parameters, call the function, give back what was lent.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Index, ReturnType, Type};

use super::{moved_to, our, services, shown_at, variable};
use crate::model::Test;
use crate::params::{Filled, Param, Pass};

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
    let (leases, unclaimed, verdict) = (our("leases"), our("unclaimed"), our("verdict"));
    let taken = take(test);
    let picks_by_type = injected(test).any(|(param, ..)| claimed(test, param).is_none());
    let unclaimed_leases = picks_by_type.then(|| {
        let leases = services::unclaimed(&test.services, &leases);
        quote! { let #unclaimed = #leases; }
    });
    let injections = injected(test).map(|(param, ty, pass)| {
        let variable = variable(param);
        let mutable = (pass == Pass::Exclusive).then(|| quote! { mut });
        let value = inject(test, param, ty, [&leases, &unclaimed], itest);
        quote! { let #mutable #variable = #value; }
    });
    let call = if test.sig.asyncness.is_some() {
        call(test, itest)
    } else {
        call_blocking(test, itest)
    };
    let finishes = lent(test).map(|variable| quote! { let #verdict = #variable.finish(#verdict).await; });
    quote! {
        async move |#leases| {
            #taken
            #unclaimed_leases
            #(#injections)*
            #call
            #(#finishes)*
            ::core::result::Result::Ok::<_, #itest::Error>(#verdict)
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

fn inject(test: &Test, param: &Param, ty: &Type, [leases, unclaimed]: [&Ident; 2], itest: &TokenStream) -> TokenStream {
    let name = param.ident.unraw().to_string();
    // Who can't be injected is said on the parameter's type.
    let place = shown_at(ty);
    let itest = moved_to(place, itest);
    if let Some(index) = claimed(test, param) {
        let lease = moved_to(place, &services::lease(leases, index));
        quote_spanned! {place=> #itest::inject::<#ty, _, _>(&(&#lease, ()), #name).await? }
    } else {
        quote_spanned! {place=> #itest::inject::<#ty, _, _>(&#unclaimed, #name).await? }
    }
}

/// On the heap: what is around it would copy a large future several times, on a stack of 2 MB.
fn call(test: &Test, itest: &TokenStream) -> TokenStream {
    let (name, arguments) = (&test.sig.ident, arguments(test));
    let verdict = verdict(test, itest);
    let outcome = outcome(test);
    quote! {
        let #outcome = ::std::boxed::Box::pin(#name(#(#arguments),*)).await;
        #verdict
    }
}

/// A function that isn't async runs where it may block; what it was lent comes back with the verdict. It is judged there,
/// as an error such as `Box<dyn Error>` can't leave its thread.
fn call_blocking(test: &Test, itest: &TokenStream) -> TokenStream {
    let (name, arguments) = (&test.sig.ident, arguments(test));
    let judge = verdict(test, itest);
    let (verdict, outcome) = (our("verdict"), outcome(test));
    let lent: Vec<_> = lent(test).collect();
    let lent = quote! { (#(#lent,)*) };
    // What rstest passes may borrow from the wrapper: it can't go to another thread.
    let blocking = if by_rstest(test).next().is_some() {
        quote! { blocking_here }
    } else {
        quote! { blocking }
    };
    quote! {
        let (#verdict, #lent) = #itest::#blocking(move || {
            let #outcome = #name(#(#arguments),*);
            #judge
            (#verdict, #lent)
        }).await;
    }
}

/// Judges what the function returned. That it can't be judged is said on the return type.
fn verdict(test: &Test, itest: &TokenStream) -> TokenStream {
    let (verdict, outcome) = (our("verdict"), outcome(test));
    let place = outcome.span();
    let itest = moved_to(place, itest);
    quote_spanned! {place=> let #verdict = #itest::Verdict::of(#outcome); }
}

fn outcome(test: &Test) -> Ident {
    let mut outcome = our("outcome");
    if let ReturnType::Type(_, ty) = &test.sig.output {
        outcome.set_span(shown_at(ty));
    }
    outcome
}

fn arguments(test: &Test) -> impl Iterator<Item = TokenStream> {
    test.params.iter().map(|param| {
        let variable = variable(param);
        match &param.filled {
            Filled::ByRstest { .. } => quote! { #variable },
            Filled::ByUs { pass: Pass::Value, .. } => quote! { #variable.value },
            Filled::ByUs { pass: Pass::Shared, .. } => quote! { &#variable.value },
            Filled::ByUs {
                pass: Pass::Exclusive, ..
            } => quote! { &mut #variable.value },
        }
    })
}

fn by_rstest(test: &Test) -> impl Iterator<Item = &Param> {
    test.params.iter().filter(|param| !param.is_injected())
}

fn injected(test: &Test) -> impl Iterator<Item = (&Param, &Type, Pass)> {
    test.params.iter().filter_map(|param| match &param.filled {
        Filled::ByUs { ty, pass } => Some((param, ty, *pass)),
        Filled::ByRstest { .. } => None,
    })
}

/// The values that are ours again once the function has returned.
fn lent(test: &Test) -> impl Iterator<Item = Ident> {
    injected(test)
        .filter(|(_, _, pass)| *pass != Pass::Value)
        .map(|(param, ..)| variable(param))
}

/// The service that `param` gets its value from because it has its name: an instance's, or else a function's. What a name
/// was given to is for that parameter alone; an unnamed service may serve others by their types.
fn claimed(test: &Test, param: &Param) -> Option<usize> {
    let services = || test.services.iter();
    services()
        .position(|service| service.is_instance(&param.ident))
        .or_else(|| services().position(|service| service.is_labelled(&param.ident)))
}
