//! A template is built once, by the first test that needs it. A builder that dies is replaced, and what it left half done is
//! never used: each test of the fleet counts the rows that the template must have.

use fleet_driver::{Harbour, Runner, kill};

/// Ten tests whose template is built by code.
fn built_by_code(harbour: &Harbour) -> Runner<'_> {
    harbour.nextest().threads(8).only("binary(beta) & test(built_by_code)")
}

#[test]
fn by_one_test_however_many_need_it() {
    let harbour = Harbour::open();
    built_by_code(&harbour).run().check(10, &[]);
    assert_eq!(harbour.logbook().builders().len(), 1);
    harbour.wait_until_empty();
}

#[test]
fn by_the_next_test_when_the_builder_is_killed() {
    let harbour = Harbour::open();
    let mut run = built_by_code(&harbour).hold_builder().start();
    let builder = run.wait_until_held();
    let before = run.output();
    assert!(
        !before.contains("PASS"),
        "a template that is half done was used: {before}"
    );
    kill(builder);
    let ended = run.wait();
    let builders = harbour.logbook().builders();
    assert_eq!(builders.len(), 2, "{builders:?}");
    ended.check(10, &[&format!("beta::{}", builders[0])]);
    harbour.wait_until_empty();
}
