use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::integration::{check_fixture, fixture};
use crate::model::Fixture;
use crate::params::Filled;

fn read(args: TokenStream, function: TokenStream) -> Result<Fixture, Vec<String>> {
    let function = syn::parse2(function).map_err(messages)?;
    check_fixture(args, &function).map_err(messages)
}

fn mistakes(args: TokenStream, function: TokenStream) -> Vec<String> {
    read(args, function).err().unwrap_or_default()
}

#[test]
fn a_fixture_needs_no_service() {
    assert!(read(quote! {}, quote! { fn clock() -> Instant { Instant::now() } }).is_ok());
}

#[test]
fn parameters_are_made_for_it_or_options() {
    let function = quote! { async fn api(db: &PgPool, #[default(2)] workers: usize, #[option] port: u16) -> Api {} };
    let fixture = read(quote! { postgres }, function).expect("no mistakes");
    let filled = fixture.callee.params.iter().map(|param| match &param.filled {
        Filled::Injected { .. } => "made",
        Filled::AsOption { default: Some(_), .. } => "default",
        Filled::AsOption { default: None, .. } => "required",
        Filled::ByRstest { .. } | Filled::WithFolder { .. } => "other",
    });
    assert_eq!(filled.collect::<Vec<_>>(), ["made", "default", "required"]);
}

#[test]
fn a_type_that_is_called_a_result_is_one() {
    for (function, may_fail) in [
        (quote! { fn f() -> Result<u8, E> {} }, true),
        (quote! { fn f() -> anyhow::Result<u8> {} }, true),
        (quote! { fn f() -> redis::RedisResult<u8> {} }, true),
        (quote! { fn f() -> Option<u8> {} }, false),
        (quote! { fn f() {} }, false),
    ] {
        assert_eq!(read(quote! {}, function).expect("no mistakes").may_fail, may_fail);
    }
}

#[test]
fn tests_options_are_not_a_fixtures() {
    assert_eq!(
        mistakes(quote! { postgres, timeout = "1s" }, quote! { fn f() {} }),
        [
            "`timeout` is not an option of fixtures; write one of `teardown`, `teardown_timeout`, `shared`, `crate`, or put it in a \
          service's parentheses"
        ]
    );
    assert_eq!(
        mistakes(quote! { teardown }, quote! { fn f() {} }),
        ["`teardown` is an option of fixtures without a value; write for example `teardown = stop`"]
    );
    assert_eq!(
        mistakes(
            quote! { teardown = "stop", teardown_timeout = "0s" },
            quote! { fn f() {} }
        ),
        [
            "`teardown` is a path; write for example `teardown = stop`",
            "`teardown_timeout` is longer than nothing; write for example `teardown_timeout = \"5s\"`",
        ]
    );
}

#[test]
fn an_option_and_an_instance_have_names_of_their_own() {
    assert_eq!(
        mistakes(
            quote! { workers = postgres },
            quote! { fn f(#[default(2)] workers: usize) {} }
        ),
        ["`workers` is also an option of the fixture; name the instance differently"]
    );
}

#[test]
fn what_nobody_could_choose_is_refused() {
    let chosen = |name: &str| {
        format!(
            "nobody could choose `{name}` for a fixture; make it the type of an option, as in `#[option] clock: {name}`"
        )
    };
    assert_eq!(
        mistakes(
            quote! {},
            quote! { fn f<'a, T, const N: usize>(#[option] t: Vec<T>) {} }
        ),
        [chosen("'a"), chosen("T"), chosen("N")]
    );
    assert!(read(quote! {}, quote! { fn f<C: Clock>(#[option] clock: C) {} }).is_ok());
}

#[test]
fn what_is_written_for_a_fixture() {
    let args = quote! { postgres(migrations = "./migrations"), common::clock, teardown = stop };
    let function = quote! {
        /// The service under test.
        #[cfg(unix)]
        pub async fn api(db: PgPool, clock: &Clock, #[default(2)] workers: usize, #[option] name: String) -> Result<Api, E> {
            Api::start(db, clock, workers, name).await
        }
    };
    let file = syn::parse2(fixture(args, &function)).expect("the expansion is items");
    insta::assert_snapshot!(prettyplease::unparse(&file));
}

#[test]
fn what_is_written_for_a_generic_one_that_is_not_async() {
    let function = quote! {
        fn timer<C: Clock>(#[option] clock: C, cache: &mut Connection) -> Timer<C> {
            Timer(clock)
        }
    };
    let file = syn::parse2(fixture(quote! { redis }, &function)).expect("the expansion is items");
    insta::assert_snapshot!(prettyplease::unparse(&file));
}
