//! What a fixture may look like.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use itest::integration;
use rstest::rstest;
use sqlx::PgPool;

use crate::common::{self, Notes, notes};
use crate::support::notes::{note, wait_for};

// Without services.

#[itest::fixture]
fn clock() -> Instant {
    Instant::now()
}

#[itest::fixture(clock)]
async fn later(clock: &Instant) -> Instant {
    *clock + Duration::from_secs(1)
}

#[itest::fixture(later, clock)]
async fn between(later: Instant, clock: &Instant) -> Duration {
    later - *clock
}

#[integration(between)]
async fn three_levels_in_process(between: Duration) {
    assert_eq!(between, Duration::from_secs(1));
}

#[integration(between, clock)]
fn a_test_that_is_not_async_has_fixtures(between: &Duration, clock: Instant) {
    assert_eq!(*between, Duration::from_secs(1));
    assert!(clock <= Instant::now());
}

// A function that isn't async runs where it may block.

#[itest::fixture(redis)]
fn blocking(client: &redis::Client) -> redis::RedisResult<String> {
    use redis::Commands;
    let mut connection = client.get_connection()?;
    connection.set::<_, _, ()>("k", "v")?;
    connection.get("k")
}

#[integration(blocking)]
async fn a_fixture_may_block(blocking: &String) {
    assert_eq!(blocking, "v");
}

// Without a value: what it does is what counts.

#[itest::fixture(postgres)]
async fn seeded(db: &mut sqlx::PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("CREATE TABLE seeds AS SELECT 7 AS n")
        .execute(db)
        .await
        .map(drop)
}

#[integration(seeded)]
async fn a_fixture_may_only_do_something(db: PgPool) -> sqlx::Result<()> {
    let n: i32 = sqlx::query_scalar("SELECT n FROM seeds").fetch_one(&db).await?;
    assert_eq!(n, 7);
    Ok(())
}

// In one transaction with the test.

#[itest::fixture(postgres(transaction))]
async fn in_a_transaction(db: &PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("CREATE TABLE seeds AS SELECT 8 AS n")
        .execute(db)
        .await
        .map(drop)
}

#[integration(in_a_transaction)]
async fn a_transaction_is_the_tests_own(db: PgPool) -> sqlx::Result<()> {
    let n: i32 = sqlx::query_scalar("SELECT n FROM seeds").fetch_one(&db).await?;
    assert_eq!(n, 8);
    Ok(())
}

// Options.

#[derive(Debug)]
struct Settings(String, Option<u16>, f64);

#[itest::fixture]
fn settings(
    #[option] port: Option<u16>,
    #[default("main".to_owned())] name: String,
    #[default(0.5)] share: f64,
) -> Settings {
    Settings(name, port, share)
}

#[integration(settings(port = Some(80)))]
async fn options_have_defaults(settings: &Settings) {
    assert_eq!((settings.0.as_str(), settings.1, settings.2), ("main", Some(80), 0.5));
}

#[integration(one = settings(port = None, name = "one"), other = settings(share = 1.0, port = None, name = "other"))]
async fn options_are_set_by_their_names(one: &Settings, other: &Settings) {
    assert_eq!((one.0.as_str(), one.1, one.2), ("one", None, 0.5));
    assert_eq!((other.0.as_str(), other.2), ("other", 1.0));
}

#[itest::fixture(settings(port = Some(1), name = "inner"))]
async fn with_options_inside(settings: &Settings) -> String {
    settings.0.clone()
}

#[integration(with_options_inside, settings(port = None))]
async fn other_options_are_another_fixture(with_options_inside: String, settings: &Settings) {
    assert_eq!((with_options_inside.as_str(), settings.1), ("inner", None));
}

// Generic over an option's value.

trait Clock: Clone + PartialEq + Debug + 'static {
    fn now(&self) -> u64;
}

#[derive(Clone, PartialEq, Debug)]
struct Stopped(u64);

impl Clock for Stopped {
    fn now(&self) -> u64 {
        self.0
    }
}

struct Timer<C>(C, u32);

#[itest::fixture(redis)]
async fn timer<C: Clock>(#[option] clock: C, #[option] times: u32, _cache: redis::Client) -> Timer<C> {
    Timer(clock, times)
}

#[integration(timer(clock = Stopped(5), times = 2))]
async fn a_fixture_may_be_generic(timer: &Timer<Stopped>) {
    assert_eq!((timer.0.now(), timer.1), (5, 2));
}

// By a path, and re-exported.

#[integration(common::notes(workers = 3), crate::shapes::again::clock)]
async fn a_fixture_may_be_named_by_its_path(notes: &Notes, clock: &Instant) {
    assert_eq!(notes.workers, 3);
    assert!(*clock <= Instant::now());
}

mod again {
    pub(super) use super::clock;
}

#[integration(crate::deep::seeds)]
async fn a_fixtures_files_lie_next_to_its_own(seeds: i32) {
    assert_eq!(seeds, 9);
}

#[itest::fixture(common::two_notes)]
async fn by_a_path(two_notes: &i64) -> i64 {
    two_notes + 1
}

#[integration(by_a_path)]
async fn a_fixture_of_a_fixture_by_its_path(by_a_path: i64) {
    assert_eq!(by_a_path, 3);
}

// Of a service of a user's own.

#[itest::fixture(keys = crate::shapes::cache)]
async fn of_a_users_service(keys: &redis::Client) -> String {
    keys.get_connection_info().addr().to_string()
}

/// A service by another name: a fixture knows a service's type by the name of the function.
#[allow(non_camel_case_types)]
type cache = itest::service::Redis;

fn cache() -> itest::service::Redis {
    itest::service::redis()
}

#[integration(of_a_users_service)]
async fn a_service_of_a_users_own_has_a_type_of_its_functions_name(of_a_users_service: &String) {
    assert!(!of_a_users_service.is_empty());
}

// Beside rstest's.

#[rstest::fixture]
fn theirs() -> u32 {
    3
}

#[integration(notes(workers = workers))]
#[rstest]
#[case(1)]
#[case(4)]
async fn rstest_has_fixtures_of_its_own(#[case] workers: usize, #[from(theirs)] three: u32, notes: &Notes) {
    assert_eq!((notes.workers, three), (workers, 3));
}

#[rstest]
#[case(6)]
#[itest::test(notes(workers = 6))]
async fn a_fixture_below_rstest(#[case] workers: usize, #[ignore] notes: &Notes) {
    assert_eq!(notes.workers, workers);
}

// Side by side.

#[itest::fixture]
async fn left() -> u8 {
    note("left began", "");
    wait_for("right began").await;
    1
}

#[itest::fixture]
async fn right() -> u8 {
    note("right began", "");
    wait_for("left began").await;
    2
}

#[itest::fixture(left, right)]
async fn both(left: u8, right: u8) -> u8 {
    left + right
}

#[integration(both)]
#[ignore = "a guest"]
async fn waits_for_both(both: u8) {
    assert_eq!(both, 3);
}

#[tokio::test]
async fn what_does_not_depend_on_each_other_is_made_side_by_side() {
    crate::support::Guests::new().pass("shapes::waits_for_both").await;
}
