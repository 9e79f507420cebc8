//! A fixture's value is taken down after the test, the last one first, however the test ended.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use itest::integration;
use sqlx::PgPool;

use crate::support::Guests;
use crate::support::notes::note;

struct Server(PgPool);

async fn stop(server: Server) -> sqlx::Result<()> {
    // The lease has not ended yet.
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&server.0).await?;
    note("order", format!("server stopped: {one}"));
    Ok(())
}

#[itest::fixture(postgres, teardown = stop)]
async fn server(db: PgPool) -> Server {
    note("order", "server");
    Server(db)
}

struct Client;

impl Drop for Client {
    fn drop(&mut self) {
        note("order", "client dropped");
    }
}

fn disconnect(_: &Client) {
    note("order", "client disconnected");
}

#[itest::fixture(server, teardown = disconnect)]
async fn client(_server: &Server) -> Client {
    note("order", "client");
    Client
}

const ORDER: [&str; 6] = [
    "server",
    "client",
    "test",
    "client disconnected",
    "client dropped",
    "server stopped: 1",
];

#[integration(client)]
#[ignore = "a guest"]
async fn passes(_client: &Client) {
    note("order", "test");
}

#[integration(client)]
#[ignore = "a guest"]
async fn fails(_client: &Client) -> anyhow::Result<()> {
    note("order", "test");
    anyhow::bail!("it failed")
}

#[integration(client)]
#[ignore = "a guest"]
async fn panics(_client: &Client) {
    note("order", "test");
    panic!("it panicked");
}

#[integration(client, timeout = "300ms")]
#[ignore = "a guest"]
async fn takes_too_long(_client: &Client) {
    note("order", "test");
    std::future::pending::<()>().await;
}

#[integration(client)]
#[ignore = "a guest"]
fn passes_without_async(_client: &Client) {
    note("order", "test");
}

#[tokio::test]
async fn the_last_one_is_taken_down_first_however_the_test_ends() {
    for (test, passes) in [
        ("teardown::passes", true),
        ("teardown::fails", false),
        ("teardown::panics", false),
        ("teardown::takes_too_long", false),
        ("teardown::passes_without_async", true),
    ] {
        let guests = Guests::new();
        let ended = guests.run(test).await;
        assert_eq!(ended.passed, passes, "{test}:\n{}", ended.said);
        assert_eq!(guests.notes("order"), ORDER, "{test}:\n{}", ended.said);
    }
}

// Nothing of it stays in the process, which may run many more tests.

static COUNTED: LazyLock<Arc<()>> = LazyLock::new(Arc::default);

/// Tells how many of it there are.
#[derive(Clone)]
struct Counted(Arc<()>);

impl PartialEq for Counted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[itest::fixture]
fn counted(#[option] count: Counted) -> Counted {
    count
}

#[itest::fixture(counted(count = Counted(COUNTED.clone())), redis)]
async fn above(counted: Counted, _cache: redis::Client) -> Counted {
    counted
}

#[integration(above, harness = false)]
async fn counts(above: &Counted) {
    assert!(Arc::strong_count(&above.0) > 1);
}

#[test]
fn nothing_of_a_test_stays_in_its_process() {
    counts();
    assert_eq!(Arc::strong_count(&COUNTED), 1);
}

// What goes wrong.

#[derive(Debug)]
struct Broken;

async fn breaks(_: &u8) -> Result<(), Broken> {
    note("order", "breaks");
    Err(Broken)
}

#[itest::fixture(teardown = breaks)]
fn fragile() -> u8 {
    1
}

async fn hangs(_: u16) {
    note("order", "hangs");
    std::future::pending::<()>().await;
}

#[itest::fixture(teardown = hangs, teardown_timeout = "200ms")]
fn sticky() -> u16 {
    2
}

async fn bursts(_: &u32) {
    note("order", "bursts");
    panic!("it burst")
}

#[itest::fixture(teardown = bursts)]
fn full() -> u32 {
    3
}

#[integration(fragile, sticky, full)]
#[ignore = "a guest"]
async fn passes_and_its_fixtures_fail(fragile: u8, sticky: u16, full: u32) {
    assert_eq!((fragile, sticky, full), (1, 2, 3));
}

#[integration(fragile, sticky, full)]
#[ignore = "a guest"]
async fn fails_and_its_fixtures_fail_too() {
    panic!("the test's own failure");
}

const WHAT_WENT_WRONG: [&str; 5] = [
    "the fixture `fragile` could not be taken down: Broken",
    "the fixture `sticky` could not be taken down: its teardown did not end within 200ms",
    "hint: if it needs longer, set `teardown_timeout`",
    "the fixture `full` could not be taken down: it panicked: it burst",
    "failed",
];

#[tokio::test]
async fn a_teardown_that_fails_fails_the_test_and_stops_no_other() {
    let guests = Guests::new();
    guests
        .fail_saying("teardown::passes_and_its_fixtures_fail", &WHAT_WENT_WRONG)
        .await;
    let mut torn_down = guests.notes("order");
    torn_down.sort();
    assert_eq!(torn_down, ["breaks", "bursts", "hangs"]);
}

#[tokio::test]
async fn a_teardown_that_fails_hides_no_failure_of_the_test() {
    let said = Guests::new()
        .fail_saying("teardown::fails_and_its_fixtures_fail_too", &WHAT_WENT_WRONG)
        .await;
    assert!(said.contains("the test's own failure"), "{said}");
}

// A test that isn't async goes on when its time is over.

struct Held(Mutex<bool>);

async fn free(held: &Held) {
    note("order", format!("freed: {}", held.0.lock().unwrap()));
}

#[itest::fixture(teardown = free)]
fn held() -> Held {
    Held(Mutex::new(true))
}

async fn take(_: Taken) {
    note("order", "never taken");
}

struct Taken;

#[itest::fixture(teardown = take, teardown_timeout = "300ms")]
fn taken() -> Taken {
    Taken
}

#[integration(held, taken, timeout = "300ms")]
#[ignore = "a guest"]
fn goes_on(_held: &Held, _taken: &Taken) {
    std::thread::sleep(Duration::from_secs(20));
}

#[tokio::test]
async fn what_a_thread_still_has_is_taken_down_by_reference() {
    let guests = Guests::new();
    let parts = [
        "the test did not end within 300ms",
        "the fixture `taken` could not be taken down: the test, which isn't async and goes on, still has its value",
    ];
    guests.fail_saying("teardown::goes_on", &parts).await;
    assert_eq!(guests.notes("order"), ["freed: true"]);
}

// What was made before another failed.

#[itest::fixture(client)]
async fn fails_after_the_client(_client: &Client) -> Result<(), Broken> {
    Err(Broken)
}

#[integration(fails_after_the_client)]
#[ignore = "a guest"]
async fn is_never_run() {
    note("order", "test");
}

#[tokio::test]
async fn what_was_made_before_another_failed_is_taken_down() {
    let guests = Guests::new();
    let parts = ["the fixture `fails_after_the_client` failed: Broken"];
    guests.fail_saying("teardown::is_never_run", &parts).await;
    let order = ORDER.iter().filter(|line| **line != "test");
    assert_eq!(guests.notes("order"), order.copied().collect::<Vec<_>>());
}
