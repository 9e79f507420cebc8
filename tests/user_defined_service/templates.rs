//! A user's service has templates, too. The service itself is `tests/keyspace`.

use itest::integration;
use rustix::process::Signal;

use crate::keyspace::{Keys, keyspace};
use crate::support::Guests;
use crate::support::notes::note;

async fn two_users(keys: Keys) -> itest::Result<()> {
    note("filled", "two users");
    keys.set("1", "Ada").await?;
    keys.set("2", "Bob").await
}

async fn nothing_works(keys: Keys) -> Result<(), String> {
    keys.set("1", "half").await.map_err(|error| error.to_string())?;
    Err("the well is dry".to_owned())
}

#[integration(keyspace(native, filled = two_users), other = keyspace(native))]
async fn a_slice_starts_as_its_template(keyspace: &Keys, other: &Keys) -> anyhow::Result<()> {
    assert_eq!(keyspace.get("2").await?.as_deref(), Some("Bob"));
    assert_eq!(other.get("2").await?, None);
    Ok(())
}

#[integration(keyspace(native, filled = two_users))]
#[ignore = "a guest"]
async fn changes_everything(keys: &Keys) -> anyhow::Result<()> {
    note(
        "found",
        format!("{:?} {:?}", keys.get("1").await?, keys.get("3").await?),
    );
    keys.set("1", "Eve").await?;
    keys.set("3", "Mallory").await?;
    Ok(())
}

#[tokio::test]
async fn a_template_is_filled_once_and_what_tests_change_is_undone() {
    let guests = Guests::new();
    guests
        .pass_together(&[
            "templates::changes_everything",
            "templates::changes_everything",
            "templates::changes_everything",
        ])
        .await;
    guests.pass("templates::changes_everything").await;
    assert_eq!(guests.notes("filled"), ["two users"]);
    assert_eq!(guests.notes("found"), ["Some(\"Ada\") None"; 4]);
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(keyspace(native, filled = nothing_works))]
#[ignore = "a guest"]
async fn is_never_reached(keys: &Keys) {
    note("reached", format!("{keys:?}"));
}

#[tokio::test]
async fn a_function_that_fails_is_named() {
    let guests = Guests::new();
    let said = guests.fail("templates::is_never_reached").await;
    for part in ["nothing_works` failed", "the well is dry"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(guests.notes("reached"), [""; 0]);
    guests.end_supervisors(Signal::TERM).await;
}
