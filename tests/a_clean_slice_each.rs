//! A clean slice each: whatever a test does, no other test sees it. Every test of the fleet looks for traces of others,
//! while some of them alter and drop tables, leave processes and clients behind, hang, abort and kill themselves.

use fleet_driver::{Harbour, Manners, Provider, TESTS, copy_of};

/// Sorted by name.
const FAIL_IN_LIFE: &[&str] = &[
    "alpha_one::misbehaving::fails::panics",
    "alpha_one::misbehaving::fails::panics_within_a_transaction",
    "alpha_one::misbehaving::fails::returns_an_error",
    "alpha_one::misbehaving::fails::takes_too_long",
];
const FAIL_WITH_THEIR_PROCESS: &[&str] = &[
    "alpha_one::misbehaving::fails::aborts",
    "alpha_one::misbehaving::fails::exits_with_a_code",
    "alpha_one::misbehaving::fails::kills_itself",
];

fn all_that_fail() -> Vec<&'static str> {
    let mut all = [FAIL_IN_LIFE, FAIL_WITH_THEIR_PROCESS].concat();
    all.sort_unstable();
    all
}

#[test]
fn with_sixteen_tests_at_once() {
    let harbour = Harbour::open();
    let ended = harbour.nextest().threads(16).manners(Manners::Worst).run();
    ended.check(TESTS, &all_that_fail());
    assert_eq!(
        harbour.servers_seen(),
        Provider::of_this_run().servers(),
        "no server died of it"
    );
    harbour.wait_until_empty();
}

#[test]
fn with_two_tests_at_once() {
    let harbour = Harbour::open();
    let ended = harbour.nextest().threads(2).manners(Manners::Worst).run();
    ended.check(TESTS, &all_that_fail());
    assert_eq!(
        harbour.servers_seen(),
        Provider::of_this_run().servers(),
        "no server died of it"
    );
    harbour.wait_until_empty();
}

#[test]
fn with_one_test_after_the_other() {
    let harbour = Harbour::open();
    let ended = harbour
        .nextest()
        .threads(1)
        .only("binary(alpha_one)")
        .manners(Manners::Worst)
        .run();
    ended.check(80, &all_that_fail());
    harbour.wait_until_empty();
}

#[test]
fn in_one_process_and_in_any_order_with_eight_threads() {
    in_one_process_and_in_any_order(8, 2026);
}

#[test]
fn in_one_process_and_in_any_order_with_one_thread() {
    in_one_process_and_in_any_order(1, 11);
}

fn in_one_process_and_in_any_order(threads: usize, seed: u64) {
    let harbour = Harbour::open();
    let binaries = ["beta", "alpha_one"].map(|name| copy_of(name, &harbour.path(&format!("{name}-copy"))));
    let run = harbour.binaries(binaries).threads(threads).manners(Manners::Bad);
    // libtest can shuffle, but says so only to those who may use what is unstable.
    let run = run
        .env("RUSTC_BOOTSTRAP", "1")
        .arg("-Zunstable-options")
        .arg(&format!("--shuffle-seed={seed}"));
    let ended = run.run();
    assert!(
        ended.output.contains(&format!("shuffle seed: {seed}")),
        "{}",
        ended.output
    );
    ended.check(140, FAIL_IN_LIFE);
    assert_eq!(
        harbour.servers_seen(),
        Provider::of_this_run().servers(),
        "no server died of it"
    );
    harbour.wait_until_empty();
}
