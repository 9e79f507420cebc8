//! The declared services and fixtures: their builders, and the chain of them that the compiler walks to find who makes a type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Expr, Ident, Index, Path, Type};

use super::{moved_to, shown_at};
use crate::args::{Call, Given};
use crate::instances::Service;

/// `(first, (second, (third, ())))`: for each slot the test holds what was made of it.
pub(super) fn slots(services: &[Service], itest: &TokenStream) -> TokenStream {
    list(services.iter().map(|service| {
        let label = service
            .label()
            .map(|label| label.unraw().to_string())
            .unwrap_or_default();
        let builder = builder(service, itest);
        let place = shown_at(&service.path);
        let itest = moved_to(place, itest);
        let new = if service.instance.is_some() {
            quote_spanned! {place=> named }
        } else {
            quote_spanned! {place=> new }
        };
        quote_spanned! {place=> #itest::Slot::#new(#label, #builder) }
    }))
}

/// All that may give a `ty`, in the order in which they are asked: those at `indices`, then what these were made of.
pub(super) fn chain(indices: &[usize], held: &Ident, ty: &Type, itest: &TokenStream) -> TokenStream {
    let chained = |rest: TokenStream, how: TokenStream| {
        indices.iter().rev().fold(rest, |rest, index| {
            let part = part(held, *index);
            quote! { #itest::Held::#how::<#ty, _>(&#part, #rest) }
        })
    };
    let inner = chained(quote! { #itest::end::<#ty>() }, quote! { inner });
    chained(inner, quote! { node })
}

/// What is held for the service at `index`: `held.1.1.0`.
fn part(held: &Ident, index: usize) -> TokenStream {
    let (first, rest) = (Index::from(0), std::iter::repeat_n(Index::from(1), index));
    quote! { #held #(.#rest)* .#first }
}

/// What the supervisor needs of each service.
pub(super) fn drivers(services: &[Service], itest: &TokenStream) -> TokenStream {
    let drivers = services.iter().map(|Service { path, values, .. }| {
        let mut builder = builder_path(path, itest);
        if !values.is_empty() {
            builder = quote! { || #builder(#(#values),*) };
        }
        let place = shown_at(path);
        let itest = moved_to(place, itest);
        quote_spanned! {place=> #itest::drivers_of(#builder) }
    });
    quote! { #itest::all_drivers([#(#drivers),*]) }
}

/// What calls the builder function by the path that the user wrote.
fn builder_path(path: &Path, itest: &TokenStream) -> TokenStream {
    if path.get_ident().is_some() {
        // In this block, and in it alone, the names of the built-in services are known.
        quote_spanned! {shown_at(path)=>
            {
                #[allow(unused_imports)]
                use #itest::builtin::*;
                #path
            }
        }
    } else {
        quote! { #path }
    }
}

fn builder(service: &Service, itest: &TokenStream) -> TokenStream {
    let path = builder_path(&service.path, itest);
    let values = &service.values;
    let arguments = quote_spanned! {shown_at(&service.path)=> (#(#values),*) };
    let calls = service.calls.iter().map(|given| call(given, itest));
    quote! { #path #arguments #(#calls)* }
}

fn call(Call { method, given }: &Call, itest: &TokenStream) -> TokenStream {
    let place = shown_at(method);
    match given {
        Given::Nothing => quote_spanned! {place=> .#method() },
        // It may name a static, which can't be moved.
        Given::Value(path) if matches!(**path, Expr::Path(_)) => {
            let value = quote! {
                {
                    #[allow(unused_imports)]
                    use #itest::{ByCopy as _, ByReference as _};
                    (&#itest::PathValue(&#path)).value()
                }
            };
            quote_spanned! {place=> .#method(#value) }
        }
        Given::Value(value) => quote_spanned! {place=> .#method(#value) },
        Given::List(values) => quote_spanned! {place=> .#method([#(#values),*]) },
    }
}

pub(super) fn list(items: impl DoubleEndedIterator<Item = TokenStream>) -> TokenStream {
    items.rfold(quote! { () }, |rest, item| quote! { (#item, #rest) })
}
