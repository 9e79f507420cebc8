use quote::{ToTokens, quote};

use super::{mistakes, read};
use crate::args::{Call, Given};

#[test]
fn a_service_is_a_path_with_or_without_options() {
    let args = quote! {
        postgres(version = "16", fixtures("users", "orders"), transaction, migrator = db::MIGRATOR,),
        redis(),
        crate::my::svc,
    };
    let test = read(args, quote! { fn t() {} }).expect("no mistakes");
    let services: Vec<_> = test
        .callee
        .services
        .iter()
        .map(|service| service.path.to_token_stream().to_string())
        .collect();
    assert_eq!(services, ["postgres", "redis", "crate :: my :: svc"]);
    let calls: Vec<_> = test.callee.services[0].calls.iter().map(written).collect();
    assert_eq!(
        calls,
        [
            "version = \"16\"",
            "fixtures [\"users\", \"orders\"]",
            "transaction",
            "migrator = db :: MIGRATOR"
        ]
    );
}

fn written(Call { method, given }: &Call) -> String {
    match given {
        Given::Nothing => method.to_string(),
        Given::Value(value) => format!("{method} = {}", value.to_token_stream()),
        Given::List(values) => {
            let values: Vec<_> = values.iter().map(|value| value.to_token_stream().to_string()).collect();
            format!("{method} [{}]", values.join(", "))
        }
    }
}

#[test]
fn an_option_may_be_any_expression() {
    let args = quote! { postgres(prepare = |db: &Db, n| seed::<A, B>(db, n), version = VERSIONS[0]) };
    let test = read(args, quote! { fn t() {} }).expect("no mistakes");
    assert_eq!(test.callee.services[0].calls.len(), 2);
}

#[test]
fn values_without_a_name_come_first() {
    let test = read(
        quote! { mail = container("mail", "1", port = 25), stack("a.yml") },
        quote! { fn t() {} },
    )
    .expect("no mistakes");
    let values: Vec<_> = test
        .callee
        .services
        .iter()
        .map(|service| service.values.len())
        .collect();
    assert_eq!(values, [2, 1]);
    assert_eq!(
        mistakes(quote! { my::stack(dedicated, "a.yml") }),
        [
            "a value without a name stands after the option `dedicated`; write it first, as in `stack(\"...\", dedicated)`"
        ]
    );
}

#[test]
fn nothing_at_all_is_refused() {
    assert_eq!(
        mistakes(quote! {}),
        ["no service is declared; write for example `#[integration(postgres)]`"]
    );
}

#[test]
fn what_is_neither_service_nor_option_is_refused() {
    let expected =
        "expected a service or a test option; write for example `#[integration(postgres, timeout = \"30s\")]`";
    assert_eq!(mistakes(quote! { "postgres" }), [expected]);
    assert_eq!(mistakes(quote! { orders = (postgres) }), [expected]);
}

#[test]
fn an_instance_needs_a_service() {
    assert_eq!(
        mistakes(quote! { orders =, redis }),
        ["`orders` names no service; write for example `orders = postgres`"]
    );
}

#[test]
fn a_missing_comma_is_seen() {
    let expected = "expected `,`; separate services and options by commas";
    assert_eq!(mistakes(quote! { postgres redis }), [expected]);
    assert_eq!(mistakes(quote! { postgres(transaction template) }), [expected]);
}

#[test]
fn a_mistake_does_not_hide_the_next_one() {
    let args = quote! { postgres(version =, [16], fixtures(), fixtures("a" "b")), timeout = "soon", retries = "many" };
    assert_eq!(
        mistakes(args),
        [
            "`version` has no value; write for example `version = \"...\"`",
            "expected an option of the service; write `name`, `name = value` or `name(value, value)`",
            "`fixtures()` lists nothing; write `fixtures` or `fixtures(\"...\")`",
            "expected `,`",
            "`timeout` is a duration with its unit, in quotes; write for example `timeout = \"30s\"`",
            "`retries` is a whole number from 0 to 4294967295; write for example `retries = 2`",
        ]
    );
}
