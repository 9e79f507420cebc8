//! What stands around the function stays there: other attributes, conditions, doc comments, a crate under another path.

use std::process::Command;

use itest::integration;
use sqlx::PgPool;

/// As a crate of shared test code would do it.
mod support {
    pub(crate) mod testing {
        pub(crate) use itest as real_servers;
    }
}

/// A test may be documented.
///
/// At length.
#[integration(postgres)]
async fn a_doc_comment_may_stand_above(_db: PgPool) {}

#[doc = "Between the two, too."]
#[integration(postgres)]
#[allow(clippy::unused_async, reason = "there is nothing to wait for")]
/// And here.
async fn attributes_may_stand_on_both_sides(#[allow(unused_variables)] db: PgPool) {}

#[cfg(any())]
#[integration(no_such_service)]
async fn what_is_configured_out_is_not_compiled(_db: NoSuchType) {}

#[integration(no_such_service)]
#[cfg(any())]
async fn nor_is_it_below_the_attribute(_db: NoSuchType) {}

#[integration(postgres)]
#[cfg(unix)]
async fn what_is_configured_in_is_a_test(_db: PgPool) {}

#[integration(postgres)]
#[ignore = "it fails: `ignored_tests_are_known_to_the_harness_as_such` looks for it"]
async fn an_ignored_test(_db: PgPool) {
    panic!("it was to be ignored");
}

#[test]
fn ignored_tests_are_known_to_the_harness_as_such() {
    let mut list = Command::new(std::env::current_exe().expect("this program"));
    let listed = list
        .args(["--list", "--ignored", "--format=terse"])
        .output()
        .expect("it runs");
    let ignored = String::from_utf8(listed.stdout).expect("names are text");
    assert_eq!(ignored, "around_the_function::an_ignored_test: test\n");
}

#[itest::test(postgres)]
async fn the_attribute_has_a_second_name(_db: PgPool) {}

#[support::testing::real_servers::integration(postgres, crate = support::testing::real_servers)]
async fn the_crate_may_be_elsewhere(_db: PgPool) {}

#[integration(itest::service::postgres)]
async fn a_service_may_be_named_by_its_path(_db: PgPool) {}

#[integration(timeout = "20s")]
async fn a_test_may_need_no_service_at_all() {}

mod within {
    pub(super) mod modules {
        use itest::integration;
        use sqlx::PgPool;

        // The supervisor is this very test, started again by its full name.
        #[integration(postgres)]
        async fn a_test_may_lie_deep(_db: PgPool) {}

        #[integration(postgres)]
        async fn r#match(r#type: PgPool) {
            assert!(r#type.size() <= 1);
        }
    }
}

macro_rules! tests_of {
    ($($name:ident: $ty:ty = $service:ident;)*) => {
        $(#[integration($service)]
        async fn $name(value: $ty) {
            drop(value);
        })*
    };
}

tests_of! {
    a_macro_may_write_a_test: PgPool = postgres;
    and_another_one: redis::Client = redis;
}
