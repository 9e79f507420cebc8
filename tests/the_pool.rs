//! Slices are made ahead of need, and what nobody needs any more goes. The service is one that only notes what happens.

mod shelf;
mod support;

use itest::integration;
use rustix::process::Signal;
use shelf::{Number, URL, shelf};
use support::notes::note;
use support::{Guests, wait_until};

fn guests() -> Guests {
    Guests::new()
        .with("ITEST_SHELF_PROVIDER", "external")
        .with("ITEST_SHELF_URL", URL)
}

#[integration(shelf)]
#[ignore = "a guest"]
async fn takes_one(number: Number) {
    note("taken", number.0);
}

#[integration(one = shelf, two = shelf, three = shelf)]
#[ignore = "a guest"]
async fn takes_three(one: Number, two: Number, three: Number) {
    note("taken", format!("{} {} {}", one.0, two.0, three.0));
}

/// Of a board that the test that runs it names.
#[integration(shelf(board = std::env::var("SHELF_BOARD").unwrap_or_default()))]
#[ignore = "a guest"]
async fn takes_one_of_a_board(number: Number) {
    note("taken", number.0);
}

#[integration(shelf(board = "spare", spare = std::env::var("SHELF_SPARE").map_or(1, |spare| spare.parse().unwrap())))]
#[ignore = "a guest"]
async fn takes_one_of_a_pool_with_spares(number: Number) {
    note("taken", number.0);
}

async fn until_noted(guests: &Guests, heading: &str, count: usize) {
    wait_until(heading, || {
        let noted = guests.notes(heading).len();
        (noted < count).then(|| format!("{noted} of {count}"))
    })
    .await;
}

#[tokio::test]
async fn one_more_than_tests_that_run_is_kept_ready() {
    let guests = guests();
    guests.pass("takes_one").await;
    assert_eq!(guests.notes("made").len(), 1, "the first test may be the only one");
    guests.pass("takes_one").await;
    until_noted(&guests, "made", 2).await;
    for _ in 0..5 {
        guests.pass("takes_one").await;
    }
    assert_eq!(guests.notes("made").len(), 2);

    guests.pass("takes_three").await;
    until_noted(&guests, "made", 4).await;
    for _ in 0..3 {
        guests.pass("takes_three").await;
    }
    assert_eq!(guests.notes("made").len(), 4, "three and one more");
    assert_eq!(guests.notes("destroyed"), [""; 0]);
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn a_service_says_how_many_slices_are_made_ahead() {
    for (spare, made) in [("0", 1), ("1", 2), ("3", 4)] {
        let guests = guests().with("SHELF_SPARE", spare);
        for _ in 0..3 {
            guests.pass("takes_one_of_a_pool_with_spares").await;
        }
        until_noted(&guests, "made", made).await;
        for _ in 0..4 {
            guests.pass("takes_one_of_a_pool_with_spares").await;
        }
        assert_eq!(
            guests.notes("made").len(),
            made,
            "{spare} more than the one test that runs"
        );
        guests.end_supervisors(Signal::TERM).await;
    }
}

async fn take(boards: Vec<usize>, mut guests: Guests) -> Guests {
    for board in boards {
        guests = guests.with("SHELF_BOARD", format!("board {board}"));
        guests.pass("takes_one_of_a_board").await;
    }
    guests
}

#[tokio::test]
async fn what_nobody_uses_goes_when_there_is_much_of_it() {
    let mut guests = take((0..32).collect(), guests()).await;
    assert_eq!(guests.notes("destroyed"), [""; 0], "that many may lie there");
    guests = take((32..40).collect(), guests).await;
    until_noted(&guests, "dropped", 7).await;
    assert_eq!(guests.notes("built").len(), 40);
    let (destroyed, dropped) = (guests.notes("destroyed"), guests.notes("dropped"));
    assert!(
        destroyed.contains(&"0".to_owned()) && dropped.contains(&"board 0".to_owned()),
        "the oldest first"
    );
    assert!(!dropped.contains(&"board 39".to_owned()), "{dropped:?}");

    guests = take(vec![0, 39], guests).await;
    let built = guests.notes("built");
    assert_eq!(built.len(), 41, "what is wanted again is built again, and nothing else");
    assert_eq!(built.last().map(String::as_str), Some("board 0"));
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
async fn a_template_that_changes_between_two_runs_replaces_the_old_one() {
    let mut guests = guests();
    for (board, dropped) in [
        ("oak: old", vec![]),
        ("elm: old", vec![]),
        ("oak: old", vec![]),
        ("oak: new", vec!["oak: old"]),
        ("ash", vec!["oak: old"]),
        ("elm: new", vec!["oak: old", "elm: old"]),
    ] {
        guests = guests.with("SHELF_BOARD", board);
        guests.pass_as_a_run("takes_one_of_a_board").await;
        until_noted(&guests, "dropped", dropped.len()).await;
        assert_eq!(guests.notes("dropped"), dropped, "{board}");
    }
    assert_eq!(
        guests.notes("built"),
        ["oak: old", "elm: old", "oak: new", "ash", "elm: new"]
    );

    // Within one run all live side by side.
    for board in ["fir: old", "fir: new", "fir: old"] {
        guests = guests.with("SHELF_BOARD", board);
        guests.pass("takes_one_of_a_board").await;
    }
    assert_eq!(guests.notes("dropped").len(), 2);
    assert_eq!(guests.notes("built").len(), 7);
    guests.end_supervisors(Signal::TERM).await;
}
