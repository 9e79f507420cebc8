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

/// Each number's is a function of its own.
async fn fills_one_of_many<const NUMBER: usize>(keys: Keys) -> itest::Result<()> {
    note("filled", NUMBER);
    keys.set("number", &NUMBER.to_string()).await
}

macro_rules! ten_each {
    ($($name:ident = $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal $i:literal $j:literal)*) => {
        $(
            #[integration(
                a = keyspace(native, filled = fills_one_of_many::<$a>), b = keyspace(native, filled = fills_one_of_many::<$b>),
                c = keyspace(native, filled = fills_one_of_many::<$c>), d = keyspace(native, filled = fills_one_of_many::<$d>),
                e = keyspace(native, filled = fills_one_of_many::<$e>), f = keyspace(native, filled = fills_one_of_many::<$f>),
                g = keyspace(native, filled = fills_one_of_many::<$g>), h = keyspace(native, filled = fills_one_of_many::<$h>),
                i = keyspace(native, filled = fills_one_of_many::<$i>), j = keyspace(native, filled = fills_one_of_many::<$j>),
            )]
            #[ignore = "a guest"]
            async fn $name(a: &Keys, j: &Keys) -> anyhow::Result<()> {
                assert_eq!(a.get("number").await?, Some($a.to_string()));
                assert_eq!(j.get("number").await?, Some($j.to_string()));
                Ok(())
            }
        )*
    };
}

ten_each! {
    has_the_first_ten = 0 1 2 3 4 5 6 7 8 9
    has_ten_more = 10 11 12 13 14 15 16 17 18 19
    has_another_ten = 20 21 22 23 24 25 26 27 28 29
    has_the_last_ten = 30 31 32 33 34 35 36 37 38 39
}

#[tokio::test]
async fn any_number_of_templates_stays_while_there_is_room() {
    let guests = Guests::new();
    for _ in 0..2 {
        for some in ["the_first_ten", "ten_more", "another_ten", "the_last_ten"] {
            guests.pass(&format!("templates::has_{some}")).await;
        }
    }
    let mut filled: Vec<usize> = guests
        .notes("filled")
        .iter()
        .map(|number| number.parse().unwrap())
        .collect();
    filled.sort_unstable();
    assert_eq!(filled, (0..40).collect::<Vec<_>>(), "each once");
    guests.end_supervisors(Signal::TERM).await;
}
