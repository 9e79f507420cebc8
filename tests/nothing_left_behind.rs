//! Nothing left behind: whatever dies, and however, no process, socket, folder or shared memory outlives it for long, and
//! the next run just works.

use fleet_driver::{Harbour, Provider, Run, Runner, interrupt_group, kill, kill_group};

const HELD: &str = "alpha_two::fourth::in_a_database_3";

const SERVERS: [&str; 2] = ["postgres", "redis"];

/// Ten tests.
fn some(harbour: &Harbour) -> Runner<'_> {
    harbour.nextest().only("binary(alpha_two) & test(fourth)")
}

/// A run in whose middle a test waits.
fn held(harbour: &Harbour) -> (Run<'_>, u32) {
    let mut run = some(harbour).threads(2).hold(HELD).start();
    let test = run.wait_until_held();
    assert_eq!(harbour.servers_seen(), 2, "there is something to leave behind");
    (run, test)
}

#[test]
fn after_a_run() {
    let harbour = Harbour::open();
    some(&harbour).run().check(10, &[]);
    assert_eq!(harbour.servers_seen(), 2, "there was something to leave behind");
    harbour.wait_until_empty();
}

#[test]
fn after_a_run_of_a_test_binary_alone() {
    let harbour = Harbour::open();
    let binary = fleet_driver::copy_of("alpha_two", &harbour.path("alpha_two-copy"));
    harbour.binaries([binary]).arg("fourth").run().check(10, &[]);
    assert_eq!(harbour.servers_seen(), 2, "there was something to leave behind");
    harbour.wait_until_empty();
}

#[test]
fn after_ctrl_c() {
    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    interrupt_group(run.pid());
    let ended = run.wait();
    assert!(ended.failed().contains(&HELD), "{}", ended.output);
    harbour.wait_until_empty();
}

#[test]
fn after_the_runner_was_killed() {
    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    kill_group(run.pid());
    // The test itself has a process group of its own, and goes on.
    run.release();
    harbour.wait_until_empty();
}

#[test]
fn after_a_test_was_killed() {
    let harbour = Harbour::open();
    let (run, test) = held(&harbour);
    kill(test);
    run.wait().check(10, &[HELD]);
    assert_eq!(harbour.servers_seen(), 2, "all others had the same servers");
    harbour.wait_until_empty();
}

#[test]
fn after_everything_was_killed_at_once() {
    let harbour = Harbour::open();
    let (run, test) = held(&harbour);
    kill_group(run.pid());
    kill(test);
    kill(harbour.supervisor());
    harbour.wait_until_empty();
}

#[test]
fn after_the_supervisor_was_killed() {
    let harbour = Harbour::open();
    // No other test must be in the middle: it would fail, too.
    let mut run = some(&harbour).threads(1).hold(HELD).start();
    run.wait_until_held();
    kill(harbour.supervisor());
    harbour.wait_until_gone(&SERVERS);
    run.release();
    let ended = run.wait();
    ended.check(10, &[HELD]);
    assert!(
        ended.output.contains("the supervisor ended while this test ran"),
        "{}",
        ended.output
    );
    assert_eq!(harbour.supervisors_seen(), 2, "the next test has started another");
    harbour.wait_until_empty();
}

#[test]
fn after_supervisor_and_janitor_were_killed_the_next_run_cleans_up() {
    let harbour = Harbour::open();
    // No other test must be in the middle: it would start the next supervisor, which cleans up.
    let mut run = some(&harbour).threads(1).hold(HELD).start();
    let test = run.wait_until_held();
    kill(harbour.process("itest-janitor").pid);
    kill(harbour.supervisor());
    kill_group(run.pid());
    kill(test);
    // Containers have to wait for the next run.
    if Provider::of_this_run() == Provider::Native {
        harbour.wait_until_gone(&SERVERS);
    }
    // Its data may have gone with any other supervisor's start, as of another run of these tests.
    assert!(!harbour.left().is_empty(), "there is something to clean up");
    drop(run);

    some(&harbour).run().check(10, &[]);
    harbour.wait_until_empty();
}
