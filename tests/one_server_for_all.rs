//! One server for all: it is started once, and every test of a run uses it, in whichever process or binary.

use std::collections::BTreeSet;
use std::fs;

use fleet_driver::{Harbour, Logbook, TESTS, copy_of, workspace};

#[test]
fn two_hundred_tests_of_three_binaries_share_one_server_under_nextest() {
    let harbour = Harbour::open();
    harbour.nextest().threads(8).run().check(TESTS, &[]);
    check_that_all_share(&harbour);
}

#[test]
fn two_hundred_tests_of_three_binaries_share_one_server_under_cargo_test() {
    let harbour = Harbour::open();
    harbour.cargo_test().threads(4).run().check(TESTS, &[]);
    check_that_all_share(&harbour);
}

#[test]
fn two_runs_at_once_share_one_server() {
    let harbour = Harbour::open();
    let books = ["one", "other"].map(|name| harbour.another_logbook(name));
    let alpha = harbour
        .nextest()
        .only("binary(alpha_two) & test(second)")
        .logbook(&books[0]);
    // The other one begins when the first is in the middle, and ends before it.
    let mut first = alpha.hold("alpha_two::second::in_a_database_1").start();
    first.wait_until_held();
    harbour
        .nextest()
        .only("binary(beta) & test(second)")
        .logbook(&books[1])
        .run()
        .check(10, &[]);
    first.release();
    first.wait().check(10, &[]);
    assert_eq!(servers(&books), 1, "{books:?}");
    assert_eq!(harbour.supervisors_seen(), 1);
}

#[test]
fn two_workspaces_share_nothing() {
    let harbour = Harbour::open();
    let binary = copy_of("alpha_two", &harbour.path("alpha_two-copy"));
    let books = ["one", "other"].map(|name| {
        // A workspace is a folder with a Cargo.lock; the tests read their migrations there.
        let book = harbour.another_logbook(name);
        fs::write(book.folder().join("Cargo.lock"), "").expect("the folder is ours");
        let migrations = workspace().join("tests/fleet/alpha/migrations");
        std::os::unix::fs::symlink(migrations, book.folder().join("migrations")).expect("the folder is ours");
        book
    });
    let run = |book: &Logbook| {
        let run = harbour.binaries([binary.clone()]).arg("third").logbook(book);
        run.env("CARGO_MANIFEST_DIR", book.folder())
            .hold("alpha_two::third::in_a_database_1")
            .start()
    };
    let mut both = [run(&books[0]), run(&books[1])];
    for run in &mut both {
        run.wait_until_held();
    }
    assert_eq!((harbour.supervisors_seen(), harbour.servers_seen()), (2, 4));
    for run in both {
        run.release();
        run.wait().check(10, &[]);
    }
    assert_eq!(servers(&books), 2, "{books:?}");
    assert_eq!(servers(&books[..1]), 1, "{books:?}");
    harbour.wait_until_empty();
}

fn check_that_all_share(harbour: &Harbour) {
    let book = harbour.logbook();
    let tests: BTreeSet<_> = book.records().into_iter().map(|record| record.test).collect();
    assert_eq!(tests.len(), TESTS, "every test has recorded its servers");
    assert_eq!(servers(&[book]), 1);
    assert_eq!(
        (harbour.supervisors_seen(), harbour.servers_seen()),
        (1, 2),
        "a Postgres and a Redis"
    );
}

/// How many pairs of servers the tests saw.
fn servers(books: &[Logbook]) -> usize {
    let records = books.iter().flat_map(Logbook::records);
    records
        .map(|record| (record.postgres, record.redis))
        .collect::<BTreeSet<_>>()
        .len()
}
