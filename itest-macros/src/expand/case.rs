//! The static that describes a test, and its registration.

use std::num::NonZeroUsize;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use super::services::drivers;
use crate::model::Test;
use crate::options::Flavor;

/// Names of items aren't hygienic, and the user's function sees this one: hence its ugly name.
pub(super) fn case(test: &Test, itest: &TokenStream) -> TokenStream {
    // As the harness names it: with the `r#` of a raw identifier.
    let name = test.callee.sig.ident.to_string();
    let options = options(test, itest);
    let drivers = drivers(&test.callee.services, itest);
    quote! {
        static __ITEST_CASE: #itest::Case = #itest::Case {
            module: ::core::module_path!(),
            name: #name,
            file: ::core::file!(),
            line: ::core::line!(),
            package: ::core::env!("CARGO_PKG_NAME"),
            manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
            options: #options,
            drivers: || #drivers,
            linked: #itest::linked,
        };
        #itest::inventory::submit! { #itest::Registered(&__ITEST_CASE) }
    }
}

fn options(test: &Test, itest: &TokenStream) -> TokenStream {
    let options = &test.options;
    // A body that stays on its own thread needs another one to drive what it was given.
    let blocks_here =
        test.callee.sig.asyncness.is_none() && test.callee.params.iter().any(|param| !param.is_injected());
    let timeout = optional(options.timeout.map(duration));
    let retries = options.retries;
    let retry_delay = duration(options.retry_delay);
    let (flavor, workers) = match options.flavor {
        Flavor::CurrentThread if blocks_here => (quote! { MultiThread }, NonZeroUsize::new(1)),
        Flavor::CurrentThread => (quote! { CurrentThread }, None),
        Flavor::MultiThread { workers } => (quote! { MultiThread }, workers),
    };
    let workers = optional(workers.map(|workers| {
        let workers = workers.get();
        quote! { #workers }
    }));
    quote! {
        #itest::Options {
            timeout: #timeout,
            retries: #retries,
            retry_delay: #retry_delay,
            flavor: #itest::Flavor::#flavor,
            worker_threads: #workers,
        }
    }
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote! { ::core::time::Duration::new(#seconds, #nanoseconds) }
}

fn optional(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(
        || quote! { ::core::option::Option::None },
        |value| quote! { ::core::option::Option::Some(#value) },
    )
}
