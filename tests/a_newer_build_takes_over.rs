//! A supervisor is a test binary that was started once. When that binary has been rebuilt, a new supervisor takes over:
//! services that the tests define in code would otherwise be yesterday's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fleet_driver::{Harbour, Logbook, Runner, copy_of, terminate};

const HELD: &str = "alpha_two::fifth::in_a_database_1";

/// The binary as it comes out of the linker: a new file, whoever still runs the old one.
fn build(harbour: &Harbour) -> PathBuf {
    let binary = harbour.path("alpha_two-0");
    fs::rename(copy_of("alpha_two", &harbour.path("draft")), &binary).expect("the harbour is ours");
    binary
}

/// Ten tests.
fn some<'h>(harbour: &'h Harbour, binary: &Path, logbook: &Logbook) -> Runner<'h> {
    harbour
        .binaries([binary.to_owned()])
        .threads(2)
        .arg("fifth")
        .logbook(logbook)
}

fn servers(logbooks: &[&Logbook]) -> usize {
    let records = logbooks.iter().flat_map(|logbook| logbook.records());
    records
        .map(|record| (record.postgres, record.redis))
        .collect::<BTreeSet<_>>()
        .len()
}

#[test]
fn an_idle_supervisor_of_an_older_build_makes_room_at_once() {
    let harbour = Harbour::open();
    let (first, second, third) = (
        harbour.logbook(),
        harbour.another_logbook("two"),
        harbour.another_logbook("three"),
    );
    let binary = build(&harbour);
    some(&harbour, &binary, &first).linger("5m").run().check(10, &[]);
    some(&harbour, &binary, &second).linger("5m").run().check(10, &[]);
    assert_eq!(
        servers(&[&first, &second]),
        1,
        "the same build finds the servers of the run before"
    );

    some(&harbour, &build(&harbour), &third).run().check(10, &[]);
    assert_eq!((harbour.supervisors_seen(), servers(&[&first, &third])), (2, 2));
    harbour.wait_until_empty();
}

#[test]
fn a_new_run_waits_for_the_tests_of_the_older_build() {
    let harbour = Harbour::open();
    let (older, newer) = (harbour.logbook(), harbour.another_logbook("newer"));
    let mut held = some(&harbour, &build(&harbour), &older).hold(HELD).start();
    held.wait_until_held();
    let mut waits = some(&harbour, &build(&harbour), &newer).arg("--nocapture").start();
    let pid = harbour.supervisor();
    waits.wait_until_said(&format!("waiting for an older supervisor (pid {pid})"));

    held.release();
    // Its other tests found no supervisor of their build either, and share the new one.
    held.wait().check(10, &[]);
    waits.wait().check(10, &[]);
    let of_held = older
        .records()
        .into_iter()
        .find(|record| record.test == HELD)
        .expect("it has passed");
    assert!(newer.records().iter().all(|record| record.postgres != of_held.postgres));
    harbour.wait_until_empty();
}

#[test]
fn a_new_run_that_waits_in_vain_says_for_whom_and_what_to_do() {
    let harbour = Harbour::open();
    let (older, newer) = (harbour.logbook(), harbour.another_logbook("newer"));
    let held = some(&harbour, &build(&harbour), &older)
        .arg("--exact")
        .arg("fifth::in_a_database_1")
        .hold(HELD);
    let mut held = held.start();
    held.wait_until_held();
    let pid = harbour.supervisor();

    let binary = build(&harbour);
    let in_vain = some(&harbour, &binary, &newer)
        .arg("--exact")
        .arg("fifth::in_a_database_2");
    let in_vain = in_vain.env("ITEST_START_TIMEOUT", "1s").run();
    in_vain.check(1, &["alpha_two::fifth::in_a_database_2"]);
    assert!(
        in_vain
            .output
            .contains(&format!("an older supervisor (pid {pid}) is still running")),
        "{}",
        in_vain.output
    );
    assert!(in_vain.output.contains(&format!("`kill {pid}`")), "{}", in_vain.output);

    // What it says helps.
    terminate(pid);
    some(&harbour, &binary, &newer).run().check(10, &[]);
    held.release();
    held.wait().check(1, &[HELD]);
    harbour.wait_until_empty();
}
