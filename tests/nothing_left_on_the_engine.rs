//! Nothing left behind, on the container engine: whatever dies, and however, no container outlives it for long.

use fleet_driver::{Harbour, Hold, Run, Runner, StandIn, interrupt_group, kill, kill_group, wait_until};

const HELD: &str = "alpha_two::fourth::in_a_database_3";

/// Ten tests, on two containers.
fn some(harbour: &Harbour) -> Runner<'_> {
    harbour
        .nextest()
        .only("binary(alpha_two) & test(fourth)")
        .on_containers()
}

/// A run in whose middle a test waits, while no other runs.
fn held(harbour: &Harbour) -> (Run<'_>, u32) {
    let mut run = some(harbour).threads(1).hold(HELD).start();
    let test = run.wait_until_held();
    let containers = harbour.containers();
    assert_eq!(
        containers.len(),
        2,
        "there is something to leave behind: {containers:?}"
    );
    (run, test)
}

fn none_left(harbour: &Harbour) {
    wait_until(
        "the end of all containers",
        std::time::Duration::from_secs(20),
        || match harbour.containers() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        },
    );
}

#[test]
#[needs::images]
fn after_a_run_and_after_ctrl_c() {
    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    run.release();
    run.wait().check(10, &[]);
    harbour.wait_until_empty();

    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    interrupt_group(run.pid());
    let ended = run.wait();
    assert!(ended.failed().contains(&HELD), "{}", ended.output);
    harbour.wait_until_empty();
}

#[test]
#[needs::images]
fn after_a_test_and_the_runner_were_killed() {
    let harbour = Harbour::open();
    let (run, test) = held(&harbour);
    kill(test);
    run.wait().check(10, &[HELD]);
    harbour.wait_until_empty();

    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    kill_group(run.pid());
    run.release();
    harbour.wait_until_empty();
}

#[test]
#[needs::images]
fn after_the_supervisor_was_killed() {
    let harbour = Harbour::open();
    let (run, _) = held(&harbour);
    kill(harbour.supervisor());
    // Its janitor needs no next run for that.
    none_left(&harbour);
    run.release();
    let ended = run.wait();
    ended.check(10, &[HELD]);
    assert_eq!(harbour.supervisors_seen(), 2, "the next test has started another");
    harbour.wait_until_empty();
}

#[test]
#[needs::images]
fn after_everything_was_killed_at_once() {
    let harbour = Harbour::open();
    let (run, test) = held(&harbour);
    kill_group(run.pid());
    kill(test);
    kill(harbour.supervisor());
    harbour.wait_until_empty();
}

#[test]
#[needs::images]
fn what_supervisor_and_janitor_left_goes_with_anybodys_next_run_and_nobody_elses_does() {
    let (dead, living, next) = (Harbour::open(), Harbour::open(), Harbour::open());
    let (bystander, _) = held(&living);
    let bystanders = living.containers();
    let (run, test) = held(&dead);
    kill(dead.process("itest-janitor").pid);
    kill(dead.supervisor());
    kill_group(run.pid());
    kill(test);
    let left = dead.containers();
    assert_eq!(left.len(), 2, "nobody could have removed them: {left:?}");

    some(&next).run().check(10, &[]);
    none_left(&dead);
    assert_eq!(living.containers(), bystanders, "they are not the next run's to remove");
    bystander.release();
    bystander.wait().check(10, &[]);
    for harbour in [&living, &next] {
        harbour.wait_until_empty();
    }
}

#[test]
#[needs::images]
fn a_container_that_was_created_but_never_started() {
    killed_while(Hold::Start);
}

#[test]
#[needs::images]
fn a_container_that_was_created_and_nobody_heard_of_it() {
    killed_while(Hold::Created);
}

/// Kills the supervisor in the window between create and start.
fn killed_while(hold: Hold) {
    let harbour = Harbour::open();
    let engine = StandIn::listen(&harbour.path("engine.sock"), hold);
    let run = some(&harbour).threads(1).env("DOCKER_HOST", engine.address()).start();
    engine.wait_until_held();
    let containers = harbour.containers();
    assert!(
        containers.iter().any(|container| container.contains(" created ")),
        "{containers:?}"
    );
    kill_group(run.pid());
    kill(harbour.supervisor());
    harbour.wait_until_empty();
}
