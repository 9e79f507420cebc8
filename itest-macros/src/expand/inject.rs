//! A call of the user's function with what is injected: each value is found by its type, and what was lent is given back.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, ReturnType, Type};

use super::{moved_to, our, services, shown_at, variable};
use crate::model::Callee;
use crate::params::{Filled, Param, Pass};

/// Makes the parameters, each in a variable of its own.
pub(super) fn injections(callee: &Callee, itest: &TokenStream) -> TokenStream {
    let injections = injected(callee).map(|(param, ty, pass)| {
        let variable = variable(param);
        let mutable = (pass == Pass::Exclusive).then(|| quote! { mut });
        let value = inject(callee, param, ty, itest);
        quote! { let #mutable #variable = #value; }
    });
    quote! { #(#injections)* }
}

fn inject(callee: &Callee, param: &Param, ty: &Type, itest: &TokenStream) -> TokenStream {
    let name = param.ident.unraw().to_string();
    // Who can't be injected is said on the parameter's type.
    let place = shown_at(ty);
    let itest = &moved_to(place, itest);
    let indices = match claimed(callee, param) {
        Some(index) => vec![index],
        None => (0..callee.services.len())
            .filter(|index| !callee.services[*index].claimed)
            .collect(),
    };
    let chain = moved_to(place, &services::chain(&indices, &our("held"), ty, itest));
    quote_spanned! {place=> {
        #[allow(unused_imports)]
        use #itest::Gives as _;
        #chain.give(#name).await?
    } }
}

/// Calls the function on the heap: what is around it would copy a large future several times, on a stack of 2 MB.
pub(super) fn call(callee: &Callee) -> TokenStream {
    let (name, arguments) = (&callee.sig.ident, arguments(callee));
    let outcome = outcome(callee);
    quote! { let #outcome = ::std::boxed::Box::pin(#name(#(#arguments),*)).await; }
}

/// A function that isn't async runs where it may block; what it was lent comes back with what `judge` makes of the outcome. It
/// is judged there, as an error such as `Box<dyn Error>` can't leave its thread.
pub(super) fn call_blocking(
    callee: &Callee,
    blocking: &TokenStream,
    judge: &TokenStream,
    judged: &Ident,
    itest: &TokenStream,
) -> TokenStream {
    let (name, arguments) = (&callee.sig.ident, arguments(callee));
    let outcome = outcome(callee);
    let lent: Vec<_> = lent(callee).collect();
    let lent = quote! { (#(#lent,)*) };
    quote! {
        let (#judged, #lent) = #itest::#blocking(move || {
            let #outcome = #name(#(#arguments),*);
            #judge
            (#judged, #lent)
        }).await;
    }
}

/// What the function returned. That it can't be judged is said on the return type.
pub(super) fn outcome(callee: &Callee) -> Ident {
    let mut outcome = our("outcome");
    if let ReturnType::Type(_, ty) = &callee.sig.output {
        outcome.set_span(shown_at(ty));
    }
    outcome
}

fn arguments(callee: &Callee) -> impl Iterator<Item = TokenStream> {
    callee.params.iter().map(|param| {
        let variable = variable(param);
        let (ty, pass) = match &param.filled {
            Filled::Injected { ty, pass } => (ty, pass),
            Filled::WithFolder { is_reference: true } => return quote! { &#variable },
            Filled::WithFolder { is_reference: false } | Filled::ByRstest { .. } | Filled::AsOption { .. } => {
                return quote! { #variable };
            }
        };
        // That a fixture's value can't be had in this way is said on the parameter's type.
        let place = shown_at(ty);
        match pass {
            Pass::Value => quote_spanned! {place=> #variable.into_value() },
            Pass::Shared => quote_spanned! {place=> #variable.shared() },
            Pass::Exclusive => quote_spanned! {place=> #variable.exclusive() },
        }
    })
}

fn injected(callee: &Callee) -> impl Iterator<Item = (&Param, &Type, Pass)> {
    callee.params.iter().filter_map(|param| match &param.filled {
        Filled::Injected { ty, pass } => Some((param, ty, *pass)),
        Filled::ByRstest { .. } | Filled::AsOption { .. } | Filled::WithFolder { .. } => None,
    })
}

/// The values that are ours again once the function has returned.
pub(super) fn lent(callee: &Callee) -> impl Iterator<Item = Ident> {
    injected(callee)
        .filter(|(_, _, pass)| *pass != Pass::Value)
        .map(|(param, ..)| variable(param))
}

/// The service that `param` gets its value from because it has its name: an instance's, or else a function's. What a name
/// was given to is for that parameter alone; an unnamed service may serve others by their types.
fn claimed(callee: &Callee, param: &Param) -> Option<usize> {
    let services = || callee.services.iter();
    services()
        .position(|service| service.is_instance(&param.ident))
        .or_else(|| services().position(|service| service.is_labelled(&param.ident)))
}
