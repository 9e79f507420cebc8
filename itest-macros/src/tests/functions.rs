use proc_macro2::TokenStream;
use quote::quote;

use super::{mistakes_of, read};
use crate::integration::integration;
use crate::signature::Harness;

fn mistakes(function: TokenStream) -> Vec<String> {
    mistakes_of(quote! { postgres }, function)
}

#[test]
fn any_plain_function_will_do() {
    assert!(mistakes(quote! { fn t() {} }).is_empty());
    assert!(
        mistakes(quote! { pub(crate) async fn t<'a>(mut a: A, b: &'a B, c: &mut C<'_>) -> anyhow::Result<()> {} })
            .is_empty()
    );
}

#[test]
fn a_test_is_emitted_unless_there_is_one() {
    let harness = |function| read(quote! { postgres }, function).expect("no mistakes").harness;
    assert_eq!(harness(quote! { #[should_panic] fn t() {} }), Harness::Ours);
    assert_eq!(harness(quote! { #[test_log] fn t() {} }), Harness::Ours);
    assert_eq!(harness(quote! { #[test] fn t() {} }), Harness::Theirs);
    assert_eq!(
        harness(quote! { #[::core::prelude::v1::test] fn t() {} }),
        Harness::Theirs
    );
    assert_eq!(harness(quote! { #[rstest::rstest] fn t() {} }), Harness::Theirs);
}

#[test]
fn serial_goes_below() {
    let expanded = quote! {
        async fn t() {
            serial_test::local_async_serial_core(vec![""], ::std::option::Option::None, "t", async { db.execute("SELECT 1") }).await;
        }
    };
    assert_eq!(
        mistakes(expanded),
        [
            "`#[serial]` and `#[parallel]` of serial_test take the parameters away: write them below `#[integration(...)]`"
        ]
    );
    assert!(mistakes(quote! { #[serial_test::serial] async fn t(db: PgPool) {} }).is_empty());
}

#[test]
fn only_a_function_is_a_test() {
    assert_eq!(
        mistakes(quote! { struct T; }),
        ["only a function can have this attribute; move it to a `fn`"]
    );
    assert_eq!(
        mistakes(quote! { fn t(); }),
        ["the function needs a body; write `{ ... }` instead of `;`"]
    );
}

#[test]
fn a_test_is_callable_by_the_harness() {
    assert_eq!(
        mistakes(quote! { const unsafe extern "C" fn t(a: ...) {} }),
        [
            "a test can't be a `const fn`; remove `const`",
            "a test can't be an `unsafe fn`; remove it and write `unsafe { ... }` in the body",
            "a test can't be an `extern` function; write a plain `fn`",
            "a test can't take a variable number of arguments; remove `...`",
        ]
    );
}

#[test]
fn a_test_is_not_generic() {
    assert_eq!(
        mistakes(quote! { fn t<'a, T, const N: usize>() {} }),
        [
            "nobody could choose `T` for a test; write a concrete type instead",
            "nobody could choose `N` for a test; write a concrete type instead",
        ]
    );
}

#[test]
fn a_parameter_is_a_plain_name() {
    assert_eq!(
        mistakes(quote! { fn t(self, _: A, (b, c): B, ref d: D, e @ _: E) {} }),
        [
            "a test has no `self`; move it out of the `impl`",
            "a parameter needs a name; write for example `_db`",
            "a parameter is a plain name; take it apart in the body",
            "a parameter is a plain name; take it apart in the body",
            "a parameter is a plain name; take it apart in the body",
        ]
    );
}

#[test]
fn a_parameter_is_not_a_reference_to_a_reference() {
    let expected = ["a reference to a reference can't be injected; write `&T` or `&mut T`"];
    assert_eq!(mistakes(quote! { fn t(a: &&A) {} }), expected);
    assert_eq!(mistakes(quote! { fn t(a: &mut &A) {} }), expected);
    assert!(mistakes(quote! { #[rstest] fn t(#[case] a: &&A) {} }).is_empty());
}

#[test]
fn a_parameter_is_not_conditional() {
    assert_eq!(
        mistakes(quote! { fn t(#[cfg(unix)] a: A) {} }),
        ["a parameter can't be conditional; write two functions and put `#[cfg]` on them"]
    );
}

#[test]
fn a_function_is_made_a_test_just_once() {
    assert_eq!(
        mistakes(quote! { #[integration(redis)] #[tokio::test] async fn t() {} }),
        [
            "this test is annotated twice; declare all services in one attribute",
            "`#[tokio::test]` would run the test once more; remove it, this attribute suffices",
        ]
    );
}

#[test]
fn rstest_does_not_await_for_us() {
    let expected =
        ["rstest can't await here, as the test it sees isn't async; remove `awt` and await the future in the body"];
    assert_eq!(
        mistakes(quote! { #[rstest] #[awt] async fn t(#[future] a: A) {} }),
        expected
    );
    assert_eq!(
        mistakes(quote! { #[rstest] async fn t(#[future(awt)] a: A) {} }),
        expected
    );
    assert!(mistakes(quote! { #[rstest] async fn t(#[future] a: A) {} }).is_empty());
}

#[test]
fn a_test_with_mistakes_stays_a_function() {
    let function = quote! {
        #[cfg(unix)] #[rstest] #[case(1)] #[should_panic] #[expect(unused)]
        pub async fn t(#[case] a: u8, (b, c): B) -> R { body }
    };
    let written = integration(quote! { postgres }, &function).to_string();
    let stub = quote! {
        #[cfg(unix)] #[expect(unused)] #[allow(dead_code, unused)]
        pub async fn t(a: u8, (b, c): B) -> R { body }
    };
    assert!(written.contains("compile_error"), "{written}");
    assert!(written.ends_with(&stub.to_string()), "{written}");
}
