use proc_macro2::TokenStream;
use quote::quote;

use crate::integration::integration;

fn expanded(args: TokenStream, function: &TokenStream) -> String {
    let file = syn::parse2(integration(args, function)).expect("the expansion is an item");
    prettyplease::unparse(&file)
}

#[test]
fn two_services_of_an_async_test() {
    let args = quote! { postgres(migrations = "./migrations", transaction), redis };
    let function = quote! {
        /// Orders are kept.
        async fn an_order_is_stored_and_cached(mut db: PgPool, cache: &redis::Client) -> anyhow::Result<()> {
            orders::place(&mut db, cache).await
        }
    };
    insta::assert_snapshot!(expanded(args, &function));
}

#[test]
fn named_instances_with_test_options() {
    let args = quote! {
        postgres, billing = my::svc(depth = 2, tags("a", "b")), spare = postgres(version = "16"),
        timeout = "1500ms", retries = 2, retry_delay = "100ms", flavor = "multi_thread", worker_threads = 4
    };
    let function = quote! {
        #[should_panic(expected = "no money")]
        pub(crate) async fn a_bill_is_paid(spare: PgPool, billing: &mut Thing, db: PgPool) {
            billing.pay(&db, &spare).await;
        }
    };
    insta::assert_snapshot!(expanded(args, &function));
}

#[test]
fn cases_of_rstest_for_a_blocking_test() {
    let args = quote! { redis(version = version) };
    let function = quote! {
        #[rstest]
        #[case("6", vec![1])]
        #[case("7", vec![])]
        fn all_are_kept(#[case] version: &str, cache: &mut redis::Client, #[case] mut items: Vec<u8>) -> Result<(), E> {
            keep(cache, &mut items)
        }
    };
    insta::assert_snapshot!(expanded(args, &function));
}
