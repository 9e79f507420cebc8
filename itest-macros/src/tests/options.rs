use std::num::NonZeroUsize;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use super::{mistakes, read};
use crate::options::{Flavor, Options};
use crate::signature::Harness;

fn options(args: TokenStream) -> Options {
    read(args, quote! { fn t() {} }).expect("no mistakes").options
}

#[test]
fn options_have_defaults() {
    let options = options(quote! { postgres });
    assert_eq!(options.timeout, None);
    assert_eq!(options.retries, 0);
    assert_eq!(options.retry_delay, Duration::ZERO);
    assert_eq!(options.flavor, Flavor::CurrentThread);
}

#[test]
fn options_stand_anywhere_among_services() {
    let options = options(quote! {
        timeout = "1m 30s", postgres, retries = 2, flavor = "multi_thread", redis, worker_threads = 4, retry_delay = "5ms"
    });
    assert_eq!(options.timeout, Some(Duration::from_secs(90)));
    assert_eq!(options.retries, 2);
    assert_eq!(options.retry_delay, Duration::from_millis(5));
    assert_eq!(
        options.flavor,
        Flavor::MultiThread {
            workers: NonZeroUsize::new(4)
        }
    );
}

#[test]
fn a_duration_has_a_unit_and_quotes() {
    let expected = ["`timeout` is a duration with its unit, in quotes; write for example `timeout = \"30s\"`"];
    assert_eq!(mistakes(quote! { postgres, timeout = 30 }), expected);
    assert_eq!(mistakes(quote! { postgres, timeout = "30" }), expected);
    assert_eq!(mistakes(quote! { postgres, timeout = "soon" }), expected);
}

#[test]
fn a_timeout_leaves_some_time() {
    assert_eq!(
        mistakes(quote! { postgres, timeout = "0s" }),
        ["`timeout` is longer than nothing; write for example `timeout = \"30s\"`"]
    );
}

#[test]
fn retries_fit_a_u32() {
    let expected = ["`retries` is a whole number from 0 to 4294967295; write for example `retries = 2`"];
    assert_eq!(mistakes(quote! { postgres, retries = -1 }), expected);
    assert_eq!(mistakes(quote! { postgres, retries = 4294967296 }), expected);
}

#[test]
fn there_are_two_flavors() {
    let expected =
        ["`flavor` is `\"multi_thread\"` or `\"current_thread\"`; write for example `flavor = \"multi_thread\"`"];
    assert_eq!(mistakes(quote! { postgres, flavor = "vanilla" }), expected);
    assert_eq!(mistakes(quote! { postgres, flavor = multi_thread }), expected);
    assert_eq!(
        mistakes(quote! { postgres, flavor = "vanilla", worker_threads = 2 }),
        expected
    );
}

#[test]
fn worker_threads_belong_to_the_multi_thread_runtime() {
    let expected = ["`worker_threads` is for the multi-thread runtime; add `flavor = \"multi_thread\"`"];
    assert_eq!(mistakes(quote! { postgres, worker_threads = 2 }), expected);
    assert_eq!(
        mistakes(quote! { postgres, worker_threads = 2, flavor = "current_thread" }),
        expected
    );
    assert_eq!(
        mistakes(quote! { postgres, worker_threads = 0, flavor = "multi_thread" }),
        ["`worker_threads` is a whole number greater than 0; write for example `worker_threads = 4`"]
    );
}

#[test]
fn an_option_is_given_once() {
    assert_eq!(
        mistakes(quote! { postgres, retries = 1, retries = 2 }),
        ["`retries` is given twice; remove one of them"]
    );
}

#[test]
fn the_nearest_option_is_suggested() {
    let all = "`timeout`, `retries`, `retry_delay`, `flavor`, `worker_threads`, `crate`, `harness`";
    assert_eq!(
        mistakes(quote! { postgres, time_out = "1s" }),
        [format!(
            "`time_out` is not a test option; write `timeout` (there are {all})"
        )]
    );
    assert_eq!(
        mistakes(quote! { postgres, version = "16" }),
        [format!(
            "`version` is not a test option; write one of {all}, or put it in a service's parentheses"
        )]
    );
}

#[test]
fn an_option_needs_a_value() {
    assert_eq!(
        mistakes(quote! { postgres, timeout, retries = }),
        [
            "`timeout` is a test option without a value; write for example `timeout = \"30s\"`",
            "`retries` has no value; write for example `retries = 2`",
        ]
    );
}

#[test]
fn the_facade_may_be_elsewhere() {
    let test = read(quote! { postgres, crate = crate::testing::itest }, quote! { fn t() {} }).expect("no mistakes");
    let facade = &test.callee.facade;
    assert_eq!(quote! { #facade }.to_string(), "crate :: testing :: itest");
    assert_eq!(
        mistakes(quote! { postgres, crate = "itest" }),
        ["`crate` is a path; write for example `crate = my_crate::itest`"]
    );
}

#[test]
fn a_harness_of_ones_own_calls_the_function() {
    let harness = |args| read(args, quote! { fn t() {} }).expect("no mistakes").harness;
    assert_eq!(harness(quote! { postgres }), Harness::Ours);
    assert_eq!(harness(quote! { postgres, harness = false }), Harness::Theirs);
    assert_eq!(
        mistakes(quote! { postgres, harness = true }),
        ["`harness` is `false` or not given; write for example `harness = false`"]
    );
}
