//! A fixture that fails says its name, and what each took.

use std::time::Duration;

use itest::integration;
use sqlx::PgPool;

use crate::support::Guests;

#[itest::fixture]
async fn quick() -> u8 {
    1
}

#[itest::fixture(postgres)]
async fn wrong(db: PgPool) -> sqlx::Result<u16> {
    sqlx::raw_sql("SELECT FROM nowhere").execute(&db).await?;
    Ok(1)
}

#[integration(quick, wrong)]
#[ignore = "a guest"]
async fn needs_what_fails(_wrong: &u16) {}

#[itest::fixture(wrong)]
async fn above(_wrong: &u16) -> u32 {
    1
}

#[integration(above)]
#[ignore = "a guest"]
async fn needs_what_is_above(_above: &u32) {}

#[tokio::test]
async fn a_fixture_that_fails_is_named() {
    let parts = [
        "the fixture `wrong` failed: ",
        "nowhere",
        "quick: made in ",
        "wrong: failed after ",
    ];
    let guests = Guests::new();
    guests.fail_saying("failures::needs_what_fails", &parts).await;
    let said = guests
        .fail_saying("failures::needs_what_is_above", &["the fixture `wrong` failed: "])
        .await;
    assert!(!said.contains("`above` failed"), "it was never begun: {said}");
}

#[itest::fixture]
fn explodes() -> u8 {
    panic!("too much")
}

#[integration(explodes)]
#[ignore = "a guest"]
async fn needs_what_explodes(_explodes: &u8) {}

#[tokio::test]
async fn a_fixture_that_panics_is_named() {
    let parts = ["the fixture `explodes` failed: it panicked: too much"];
    Guests::new().fail_saying("failures::needs_what_explodes", &parts).await;
}

#[itest::fixture]
async fn endless() -> u8 {
    std::future::pending().await
}

#[integration(quick, endless, timeout = "300ms")]
#[ignore = "a guest"]
async fn needs_what_never_comes(_endless: &u8) {}

#[tokio::test]
async fn a_fixture_that_is_still_being_made_is_named() {
    let parts = [
        "the test did not end within 300ms",
        "its fixtures:",
        "quick: made in ",
        "endless: still being made, for ",
    ];
    Guests::new()
        .fail_saying("failures::needs_what_never_comes", &parts)
        .await;
}

#[itest::fixture]
async fn slow() -> u8 {
    tokio::time::sleep(Duration::from_secs(6)).await;
    1
}

#[integration(slow)]
#[ignore = "a guest"]
async fn needs_what_is_slow(_slow: &u8) {}

#[tokio::test]
async fn a_slow_fixture_is_told_of_meanwhile() {
    let ended = Guests::new().run("failures::needs_what_is_slow").await;
    assert!(ended.passed, "{}", ended.said);
    assert!(
        ended.said.contains("itest: the fixture `slow` is being made, for 5 s"),
        "{}",
        ended.said
    );
}

#[itest::fixture(postgres)]
async fn with_a_hint(db: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("CREATE ROLE somebody").execute(&db).await.map(drop)
}

#[integration(with_a_hint)]
#[ignore = "a guest"]
async fn meets_a_limit_of_its_slice() {}

#[tokio::test]
async fn a_limit_of_the_slice_is_explained_for_a_fixture_too() {
    let parts = ["the fixture `with_a_hint` failed", "hint: ", "dedicated"];
    Guests::new()
        .fail_saying("failures::meets_a_limit_of_its_slice", &parts)
        .await;
}
