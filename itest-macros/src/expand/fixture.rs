//! Writes a fixture: in place of the function a builder of that name, with a method for each option, and how its value is made.
//!
//! The builder's type has the function's name, too: another fixture that names this one says by it which parts it has. A
//! function's type can't be named.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Generics, Ident, ReturnType, Token, Type, WherePredicate, parse_quote};

use super::{inject, moved_to, our, services, shown_at, variable};
use crate::model::{Callee, Fixture, is_result};
use crate::options::Shared;
use crate::params::Filled;
use crate::signature::is_named;

/// How long taking down may take, unless it is said.
const TEARDOWN: Duration = Duration::from_secs(10);

pub(crate) fn expand_fixture(fixture: &Fixture) -> TokenStream {
    let facade = &fixture.callee.facade;
    let itest = &quote! { #facade::__private };
    let builder = builder(fixture, itest);
    let parts = parts(fixture, itest);
    let made = made(fixture, itest);
    let part = part(&fixture.callee, itest);
    quote! { #builder #parts #made #part }
}

/// What `#[cfg]` takes away goes as a whole.
fn cfgs(callee: &Callee) -> TokenStream {
    let cfgs = callee
        .attrs
        .iter()
        .filter(|attr: &&Attribute| attr.path().is_ident("cfg"));
    quote! { #(#cfgs)* }
}

/// An option of the fixture, which stands in its parentheses.
struct Word<'a> {
    name: &'a Ident,
    ty: &'a Type,
    default: Option<&'a Expr>,
}

fn words(callee: &Callee) -> impl Iterator<Item = Word<'_>> {
    callee.params.iter().filter_map(|param| match &param.filled {
        Filled::AsOption { ty, default } => Some(Word {
            name: &param.ident,
            ty,
            default: default.as_deref(),
        }),
        Filled::Injected { .. } | Filled::ByRstest { .. } | Filled::WithFolder { .. } => None,
    })
}

/// An option without a default: the builder's type has a parameter for it, which is a marker as long as it isn't given.
struct Required<'a> {
    word: Word<'a>,
    state: Ident,
    /// What the parameter's name says is read in an error.
    missing: Ident,
    /// The type is a parameter of the function's.
    is_generic: bool,
}

fn required(callee: &Callee) -> Vec<Required<'_>> {
    let without_default = words(callee).filter(|word| word.default.is_none());
    let required = without_default.map(|word| {
        let generic = generic_named(callee, word.ty);
        let option = word.name.unraw();
        let of = callee.sig.ident.unraw();
        Required {
            state: generic.cloned().unwrap_or_else(|| format_ident!("__{option}")),
            missing: format_ident!("the_option_{option}_of_{of}_is_missing", span = word.name.span()),
            is_generic: generic.is_some(),
            word,
        }
    });
    required.collect()
}

/// The function's type parameter that a type is.
fn generic_named<'a>(callee: &'a Callee, ty: &Type) -> Option<&'a Ident> {
    let Type::Path(path) = ty else { return None };
    let mut params = callee.sig.generics.type_params().map(|param| &param.ident);
    params.find(|param| path.path.is_ident(*param))
}

/// The builder's types: as its function returns it, in any state, and with all options given.
struct Types {
    initial: TokenStream,
    any: TokenStream,
    complete: TokenStream,
}

fn types(callee: &Callee) -> Types {
    let (name, required) = (&callee.sig.ident, required(callee));
    let of = |arguments: Vec<TokenStream>| {
        if arguments.is_empty() {
            quote! { #name }
        } else {
            quote! { #name<#(#arguments),*> }
        }
    };
    Types {
        initial: of(required.iter().map(|option| option.missing.to_token_stream()).collect()),
        any: of(required.iter().map(|option| option.state.to_token_stream()).collect()),
        complete: of(required.iter().map(|option| option.word.ty.to_token_stream()).collect()),
    }
}

/// The function's generics, for what is true of the complete builder.
fn complete_generics(callee: &Callee) -> Generics {
    let mut generics = callee.sig.generics.clone();
    let types: Vec<Ident> = generics.type_params().map(|param| param.ident.clone()).collect();
    let conditions: Punctuated<WherePredicate, Token![,]> = parse_quote! {
        #(#types: ::core::clone::Clone + ::core::cmp::PartialEq + 'static),*
    };
    if !conditions.is_empty() {
        generics.make_where_clause().predicates.extend(conditions);
    }
    generics
}

fn builder(Fixture { callee, options, .. }: &Fixture, itest: &TokenStream) -> TokenStream {
    // What a run shares is known by what its options look like.
    let debug = (options.shared == Some(Shared::Run)).then(|| quote! { ::core::fmt::Debug, });
    let Callee { attrs, vis, sig, .. } = callee;
    let (name, cfgs) = (&sig.ident, cfgs(callee));
    let (required, Types { initial, any, .. }) = (required(callee), types(callee));
    let states: Vec<_> = required.iter().map(|option| &option.state).collect();
    let missing: Vec<_> = required.iter().map(|option| &option.missing).collect();
    let defaults = required.iter().map(|option| {
        let Required {
            state,
            missing,
            word,
            is_generic,
        } = option;
        let ty = word.ty;
        if *is_generic {
            quote! { #state = #missing }
        } else {
            quote! { #state = #ty }
        }
    });
    let fields = words(callee).map(|Word { name, ty, default }| match default {
        Some(_) => quote! { #name: #ty, },
        None => {
            let state = required
                .iter()
                .find(|option| option.word.name == name)
                .map(|option| &option.state);
            quote! { #name: #state, }
        }
    });
    let values = words(callee).map(|Word { name, default, .. }| match default {
        Some(default) => quote! { #name: #default, },
        None => {
            let missing = required
                .iter()
                .find(|option| option.word.name == name)
                .map(|option| &option.missing);
            quote! { #name: #missing, }
        }
    });
    let optional = words(callee)
        .filter(|word| word.default.is_some())
        .map(|Word { name, ty, .. }| {
            let (given, value) = given(name, ty);
            quote! {
                #[allow(dead_code, unreachable_pub, missing_docs)]
                #vis fn #name(mut self, #name: #given) -> Self {
                    self.#name = #value;
                    self
                }
            }
        });
    let setters = required.iter().map(|option| setter(callee, option, &required));
    let place = shown_at(name);
    let itest = moved_to(place, itest);
    // The compiler evaluates it before it looks into any body.
    let no_cycle = sig.generics.params.is_empty().then(|| {
        quote_spanned! {place=> #cfgs const _: [(); <#name as #itest::Part>::MADE_OF_ITSELF as usize] = []; }
    });
    quote! {
        #(
            #cfgs
            #[doc(hidden)]
            #[allow(non_camel_case_types, dead_code, unreachable_pub)]
            #[derive(#debug ::core::clone::Clone, ::core::cmp::PartialEq)]
            #vis struct #missing;
        )*

        #cfgs
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, unreachable_pub)]
        #[derive(#debug ::core::clone::Clone, ::core::cmp::PartialEq)]
        #vis struct #name <#(#defaults),*> {
            #(#fields)*
        }

        #cfgs
        impl<#(#states),*> #any {
            #(#optional)*
        }

        #(#setters)*

        #(#attrs)*
        #[allow(dead_code)]
        #vis fn #name() -> #initial {
            #name { #(#values)* }
        }

        #no_cycle
    }
}

/// What gives the builder an option that has no default.
fn setter(callee: &Callee, option: &Required<'_>, required: &[Required<'_>]) -> TokenStream {
    let (fixture, vis, cfgs) = (&callee.sig.ident, &callee.vis, cfgs(callee));
    let Required {
        word: Word { name, ty, .. },
        state,
        missing,
        is_generic,
    } = option;
    let others = required
        .iter()
        .filter(|other| other.state != *state)
        .map(|other| &other.state);
    let with = |argument: TokenStream| {
        let arguments = required.iter().map(|other| {
            if other.state == *state {
                argument.clone()
            } else {
                other.state.to_token_stream()
            }
        });
        quote! { #fixture<#(#arguments),*> }
    };
    let (before, after) = (with(quote! { #missing }), with(quote! { #ty }));
    let (generic, given, value) = if *is_generic {
        (quote! { <#state> }, quote! { #state }, quote! { #name })
    } else {
        let (given, value) = given(name, ty);
        (TokenStream::new(), given, value)
    };
    let rest = words(callee).map(|word| word.name).filter(|other| other != name);
    quote! {
        #cfgs
        impl<#(#others),*> #before {
            #[allow(dead_code, unreachable_pub, missing_docs)]
            #vis fn #name #generic(self, #name: #given) -> #after {
                #fixture { #name: #value, #(#rest: self.#rest,)* }
            }
        }
    }
}

/// What an option is given by: a literal is a `&str`.
fn given(name: &Ident, ty: &Type) -> (TokenStream, TokenStream) {
    if is_text(ty) {
        (quote! { impl ::core::convert::Into<#ty> }, quote! { #name.into() })
    } else {
        (quote! { #ty }, quote! { #name })
    }
}

fn is_text(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => is_named(&path.path, "String") || is_named(&path.path, "PathBuf"),
        Type::Group(group) => is_text(&group.elem),
        _ => false,
    }
}

/// Says by what types the parts go, and which services they bring. None of it depends on the options.
fn parts(Fixture { callee, options, .. }: &Fixture, itest: &TokenStream) -> TokenStream {
    let (cfgs, Types { initial, any, .. }) = (cfgs(callee), types(callee));
    let states = required(callee).into_iter().map(|option| option.state);
    let parts = callee.services.iter().enumerate().map(|(index, service)| {
        let path = &service.path;
        let place = shown_at(path);
        // In this block, and in it alone, the names of the built-in services are known.
        let names = path
            .get_ident()
            .map(|_| quote! { #[allow(unused_imports)] use #itest::builtin::*; });
        let itest = moved_to(place, itest);
        let index = index_of(index);
        quote_spanned! {place=>
            #cfgs
            const _: () = {
                #names
                impl #itest::Names<#index> for #initial {
                    type Part = #path;
                }
            };
        }
    });
    let needs = if options.shared == Some(Shared::Run) {
        quote! { (#itest::Slot<#itest::OncePerRun>, ()) }
    } else {
        needs(callee, itest)
    };
    quote! {
        #(#parts)*

        #cfgs
        impl<#(#states),*> #itest::Brings for #any {
            fn drivers(into: &mut ::std::vec::Vec<#itest::Driver>) {
                <#needs as #itest::Declared>::drivers(into)
            }
        }
    }
}

/// The list of the parts' slots, as a type.
fn needs(callee: &Callee, itest: &TokenStream) -> TokenStream {
    let Types { initial, .. } = types(callee);
    services::list((0..callee.services.len()).map(|index| {
        let index = index_of(index);
        quote! { #itest::Slot<<#initial as #itest::Names<#index>>::Part> }
    }))
}

fn index_of(index: usize) -> proc_macro2::Literal {
    proc_macro2::Literal::usize_unsuffixed(index)
}

/// How the value is made, and taken down.
fn made(fixture: &Fixture, itest: &TokenStream) -> TokenStream {
    let Fixture { callee, options, .. } = fixture;
    let cfgs = cfgs(callee);
    let (generics, Types { complete, .. }) = (complete_generics(callee), types(callee));
    let (impl_generics, _, conditions) = generics.split_for_impl();
    let (needs, slots) = match options.shared {
        Some(Shared::Run) => shared_by_a_run(fixture, itest),
        Some(Shared::Process) | None => (needs(callee, itest), services::slots(&callee.services, itest)),
    };
    let value = value_type(&callee.sig.output, itest);
    let held = our("held");
    // What a shared value must be is said on the function's return type.
    let place = inject::outcome(callee).span();
    let shown = moved_to(place, itest);
    let shared = quote_spanned! {place=> #shown::shared };
    let make = match options.shared {
        None => {
            let making = making(fixture, &quote! { self }, itest);
            quote! {
                let _ = #held;
                #making.map(::std::sync::Arc::new)
            }
        }
        Some(Shared::Process) => {
            let making = making(fixture, &quote! { self }, itest);
            quote! {
                let _ = #held;
                #shared(self, async { #making }).await
            }
        }
        Some(Shared::Run) => quote_spanned! {place=> #shown::OncePerRun::value(&#held.0).map(::std::sync::Arc::new) },
    };
    let tear_down = tear_down(options.teardown.as_ref(), options.teardown_timeout, itest);
    quote! {
        #cfgs
        impl #impl_generics #itest::Fixture for #complete #conditions {
            const ORIGIN: #itest::Origin = #itest::Origin {
                manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
                file: ::core::file!(),
            };
            type Value = #value;
            type Needs = #needs;

            #[allow(clippy::unused_unit)]
            fn needs(&self) -> Self::Needs {
                #slots
            }

            async fn make(
                &self,
                #held: &<Self::Needs as #itest::Declared>::Held,
            ) -> ::core::result::Result<::std::sync::Arc<Self::Value>, #itest::Error> {
                #make
            }

            #tear_down
        }
    }
}

/// An expression that calls the function: a `Result` with its value. `fixture` has the options.
fn making(Fixture { callee, may_fail, .. }: &Fixture, fixture: &TokenStream, itest: &TokenStream) -> TokenStream {
    let Callee { sig, body, params, .. } = callee;
    let given = params.iter().filter_map(|param| {
        let Filled::AsOption { .. } = param.filled else {
            return None;
        };
        let (name, variable) = (&param.ident, variable(param));
        Some(quote! { let #variable = ::core::clone::Clone::clone(&#fixture.#name); })
    });
    let injections = inject::injections(callee, itest);
    let (outcome, judged, verdict) = (inject::outcome(callee), our("value"), our("verdict"));
    let judge = if *may_fail {
        let place = outcome.span();
        let itest = moved_to(place, itest);
        quote_spanned! {place=> let #judged = #itest::Fallible::made(#outcome); }
    } else {
        quote! { let #judged = ::core::result::Result::Ok::<_, #itest::Error>(#outcome); }
    };
    let call = if sig.asyncness.is_some() {
        let call = inject::call(callee);
        quote! { #call #judge }
    } else {
        inject::call_blocking(callee, &quote! { blocking }, &judge, &judged, itest)
    };
    let finishes = inject::lent(callee).map(|variable| quote! { let #verdict = #variable.finish(#verdict).await; });
    quote! {
        {
            #[allow(clippy::unused_async, clippy::needless_pass_by_value, clippy::unnecessary_wraps,
                clippy::ptr_arg, clippy::trivially_copy_pass_by_ref)]
            #sig #body

            #(#given)*
            #injections
            #call
            let #judged = #judged?;
            let #verdict = #itest::Verdict::Passed;
            #(#finishes)*
            #itest::ended(#verdict)?;
            ::core::result::Result::Ok::<_, #itest::Error>(#judged)
        }
    }
}

/// What is made once per run is a service of the supervisor's own.
fn shared_by_a_run(fixture: &Fixture, itest: &TokenStream) -> (TokenStream, TokenStream) {
    let callee = &fixture.callee;
    let label = callee.sig.ident.unraw().to_string();
    let (own, folder, value) = (our("fixture"), our("folder"), our("value"));
    let given = callee.params.iter().filter_map(|param| {
        let Filled::WithFolder { .. } = param.filled else {
            return None;
        };
        let variable = variable(param);
        Some(quote! { let #variable = ::core::clone::Clone::clone(&#folder); })
    });
    let making = making(fixture, &quote! { #own }, itest);
    let place = inject::outcome(callee).span();
    let shown = moved_to(place, itest);
    let bytes = quote_spanned! {place=> #shown::OncePerRun::bytes(&#value) };
    let needs = quote! { (#itest::Slot<#itest::OncePerRun>, ()) };
    let slots = quote! {
        {
            let #own = ::core::clone::Clone::clone(self);
            let once = #itest::OncePerRun::new(
                ::core::file!(),
                #label,
                &::core::clone::Clone::clone(self),
                move |#folder: ::std::path::PathBuf| {
                    let #own = ::core::clone::Clone::clone(&#own);
                    async move {
                        let _ = &#own;
                        #(#given)*
                        let #value = async { #making }.await?;
                        #bytes
                    }
                },
            );
            (#itest::Slot::new(#label, once), ())
        }
    };
    (needs, slots)
}

/// The type of the value, which a `Result` holds.
fn value_type(output: &ReturnType, itest: &TokenStream) -> TokenStream {
    match output {
        ReturnType::Default => quote! { () },
        ReturnType::Type(_, ty) if is_result(ty) => {
            let place = shown_at(ty);
            let itest = moved_to(place, itest);
            quote_spanned! {place=> <#ty as #itest::Fallible>::Value }
        }
        ReturnType::Type(_, ty) => quote! { #ty },
    }
}

fn tear_down(function: Option<&syn::Path>, limit: Option<Duration>, itest: &TokenStream) -> TokenStream {
    let value = our("value");
    let torn_down = match function {
        Some(function) => {
            let limit = limit.unwrap_or(TEARDOWN);
            let (seconds, nanoseconds) = (limit.as_secs(), limit.subsec_nanos());
            let place = shown_at(function);
            let itest = moved_to(place, itest);
            quote_spanned! {place=>
                #itest::tear_down(#value, ::core::time::Duration::new(#seconds, #nanoseconds), #function).await
            }
        }
        None => quote! {
            ::core::mem::drop(#value);
            ::core::result::Result::Ok(())
        },
    };
    quote! {
        async fn tear_down(
            &self,
            #value: ::std::sync::Arc<Self::Value>,
        ) -> ::core::result::Result<(), #itest::Error> {
            #torn_down
        }
    }
}

/// That the builder can stand in an attribute, once all options are given.
fn part(callee: &Callee, itest: &TokenStream) -> TokenStream {
    let (name, cfgs) = (&callee.sig.ident, cfgs(callee));
    let (generics, Types { complete, .. }) = (complete_generics(callee), types(callee));
    let (impl_generics, _, conditions) = generics.split_for_impl();
    let place = shown_at(name);
    let no_cycle = {
        let itest = moved_to(place, itest);
        quote_spanned! {place=>
            const MADE_OF_ITSELF: bool = <<Self as #itest::Fixture>::Needs as #itest::Declared>::MADE_OF_ITSELF;
        }
    };
    quote! {
        #cfgs
        impl #impl_generics #itest::Part for #complete #conditions {
            type Held = #itest::Made<Self>;
            #no_cycle

            fn plan(
                &self,
                place: #itest::Place,
                plan: &mut #itest::Plan<'_>,
            ) -> ::core::result::Result<(), #itest::Error> {
                #itest::fixture::plan(self, place, plan)
            }

            fn explain(&self, failure: &str, into: &mut ::std::vec::Vec<::std::string::String>) {
                #itest::fixture::explain(self, failure, into)
            }

            fn build(
                &self,
                site: &mut #itest::Site,
            ) -> ::core::option::Option<#itest::BoxFuture<'static, ::core::result::Result<(), #itest::Error>>> {
                #itest::fixture::build(self, site)
            }

            fn hold(
                self,
                place: #itest::Place,
                grants: &mut #itest::Grants,
            ) -> ::core::result::Result<#itest::Made<Self>, #itest::Error> {
                #itest::fixture::hold(&self, place, grants)
            }
        }
    }
}
