//! Tests that start well and then fail.

use crate::fault::fault;

#[test]
fn a_command_that_reaches_other_tests_on_redis() {
    for test in ["flushes_all", "flushes_all_and_panics"] {
        fault(test).fails().says(&[
            "'flushall'",
            "hint: this command reaches other tests",
            "write `redis(dedicated)`",
        ]);
    }
}

#[test]
fn what_the_whole_postgres_server_has_once() {
    for test in ["creates_a_role", "creates_a_role_and_unwraps"] {
        let said = fault(test).fails();
        said.says(&[
            "permission denied to create role",
            "hint: roles, settings",
            "write `postgres(dedicated)`",
        ]);
    }
}

#[test]
fn a_second_connection_in_a_transaction() {
    fault("wants_a_second_connection").fails().says(&[
        "hint: with `transaction` a test has one connection",
        "write `postgres` without `transaction`",
    ]);
}

#[test]
fn a_deferred_constraint_in_a_transaction() {
    fault("defers_a_violation").fails().says(&[
        "a deferred constraint is violated at the end of the test",
        "violates foreign key constraint \"b_belongs_to_a\" (Key (a)=(1) is not present in table \"a\".)",
        "hint: a `transaction` is never committed",
    ]);
}

#[test]
fn the_lines_of_the_servers_log_that_belong_to_the_test_alone() {
    // Both use the same server, at the same time.
    let tigers = std::thread::spawn(|| fault("makes_the_server_complain_of_tigers").fails());
    let lions = fault("makes_the_server_complain_of_lions").fails();
    let logged = "what postgres logged for this test:";
    lions
        .says(&[logged, "STATEMENT:  SELECT lions FROM cage"])
        .never_says("tigers");
    let tigers = tigers.join().expect("it ends");
    tigers
        .says(&[logged, "STATEMENT:  SELECT tigers FROM cage"])
        .never_says("lions");
}

#[test]
fn the_lines_of_each_instance() {
    let said = fault("makes_two_servers_complain").fails();
    let said = said.says(&["what first logged for this test:", "what second logged for this test:"]);
    let (first, second) = said.text().split_once("what second logged").expect("it was there");
    assert!(first.contains("lions") && !first.contains("tigers"), "{first}");
    assert!(second.contains("tigers") && !second.contains("lions"), "{second}");
}

#[test]
fn a_test_that_is_too_slow() {
    for test in ["is_too_slow", "is_too_slow_and_blocks"] {
        fault(test).fails().says(&[
            "the test did not end within 200ms",
            "hint: if it needs longer, set `timeout` in the test's attribute to more",
        ]);
    }
}

#[test]
fn a_test_that_waits_for_servers_says_for_what() {
    fault("waits_for_servers").fails().says(&[
        "the test did not end within 500ms",
        "what postgres was still doing for this test:",
        "`SELECT pg_sleep(60)`, for 0.",
        "`INSERT INTO held VALUES (1)`, for 0.",
        "waiting for a lock of a session that is idle in transaction after `LOCK TABLE held`",
        "what redis was still doing for this test:",
        "`BLPOP`, for ",
    ]);
}

#[test]
fn each_attempt_is_reported() {
    let said = fault("fails_every_time").fails();
    let said = said
        .says(&["(attempt 1 of 3)", "(attempt 2 of 3)", "(attempt 3 of 3)"])
        .never_says("attempt 4");
    let mut slices: Vec<_> = said
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("this attempt is "))
        .collect();
    slices.dedup();
    assert_eq!(slices.len(), 3, "each attempt has a slice of its own: {slices:?}");
}

#[test]
fn a_panic_that_was_not_expected() {
    fault("panics_for_another_reason")
        .fails()
        .says(&["a closed door", "an open door"]);
    fault("does_not_panic").fails().says(&["did not panic as expected"]);
}
