//! The declared services: their builders, and the list of them that the compiler walks to find who provides a type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Expr, Ident, Index, Path};

use super::{moved_to, shown_at};
use crate::args::{Call, Given};
use crate::instances::Service;

/// `(first, (second, (third, ())))`: what a slot each becomes a lease each.
pub(super) fn slots(services: &[Service], itest: &TokenStream) -> TokenStream {
    list(services.iter().map(|service| {
        let label = service
            .label()
            .map(|label| label.unraw().to_string())
            .unwrap_or_default();
        let builder = builder(service, itest);
        let place = shown_at(&service.path);
        let itest = moved_to(place, itest);
        quote_spanned! {place=> #itest::Slot::new(#label, #builder) }
    }))
}

/// The leases that no parameter claims by its name.
pub(super) fn unclaimed(services: &[Service], leases: &Ident) -> TokenStream {
    let unclaimed = services.iter().enumerate().filter(|(_, service)| !service.claimed);
    list(unclaimed.map(|(index, _)| {
        let lease = lease(leases, index);
        quote! { &#lease }
    }))
}

/// The lease at `index`: `leases.1.1.0`.
pub(super) fn lease(leases: &Ident, index: usize) -> TokenStream {
    let (first, rest) = (Index::from(0), std::iter::repeat_n(Index::from(1), index));
    quote! { #leases #(.#rest)* .#first }
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
        quote_spanned! {place=> #itest::Driver::of(#builder) }
    });
    quote! { ::std::vec![#(#drivers),*] }
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

fn list(items: impl DoubleEndedIterator<Item = TokenStream>) -> TokenStream {
    items.rfold(quote! { () }, |rest, item| quote! { (#item, #rest) })
}
