use quote::quote;

use super::{mistakes, mistakes_of, read};

#[test]
fn a_parameter_claims_the_instance_of_its_name() {
    let function = quote! { fn t(billing: PgPool, db: &PgPool, r#type: PgPool) {} };
    let test = read(
        quote! { postgres, billing = postgres, r#type = postgres, redis },
        function,
    )
    .expect("no mistakes");
    let claimed: Vec<_> = test.callee.services.iter().map(|service| service.claimed).collect();
    assert_eq!(claimed, [false, true, true, false]);
}

#[test]
fn a_parameter_may_have_the_name_of_a_service_that_has_none_of_its_own() {
    let test = read(
        quote! { my::mail, search },
        quote! { fn t(mail: &Handle, other: Url<Search>) {} },
    );
    let services = test.expect("no mistakes").callee.services;
    let labels: Vec<_> = services.iter().filter_map(|service| service.label()).collect();
    assert_eq!(labels, ["mail", "search"]);
    assert!(
        services.iter().all(|service| !service.claimed),
        "each may serve others, too"
    );
}

#[test]
fn like_services_need_names() {
    assert_eq!(
        mistakes(quote! { my::svc, redis, my::svc(depth = 2) }),
        ["`my::svc` is declared twice; name them, for example `first = my::svc, second = my::svc`"]
    );
}

#[test]
fn two_instances_have_two_names() {
    assert_eq!(
        mistakes(quote! { orders = postgres, orders = redis }),
        ["two instances are named `orders`; name one of them differently"]
    );
}

#[test]
fn an_instance_is_not_named_like_another_service() {
    assert_eq!(
        mistakes(quote! { redis, redis = redis(version = "7") }),
        ["`redis` is also a service of this test; name the instance differently"]
    );
    assert!(mistakes(quote! { redis = redis(version = "7") }).is_empty());
}

#[test]
fn an_instance_is_not_named_like_a_parameter_of_rstest() {
    assert_eq!(
        mistakes_of(quote! { n = postgres }, quote! { #[rstest] fn t(#[case] n: u8) {} }),
        ["rstest fills the parameter `n`; name the instance differently"]
    );
}

#[test]
fn a_type_does_not_tell_two_instances_of_one_service() {
    let args = quote! { orders = postgres, billing = postgres };
    assert_eq!(
        mistakes_of(args.clone(), quote! { fn t(db: PgPool) {} }),
        [
            "no parameter is named `orders`; give that name to the one that should get it",
            "no parameter is named `billing`; give that name to the one that should get it",
        ]
    );
    assert!(mistakes_of(args.clone(), quote! { fn t(db: PgPool, billing: PgPool) {} }).is_empty());
    assert!(mistakes_of(args, quote! { fn t() {} }).is_empty());
}
