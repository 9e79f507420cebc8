//! The promises, each tried by guests; `module` is where those stand.

use rustix::process::Signal;

use crate::{Guests, wait_until};

/// The name of a guest that stands in a module, as the test harness knows it.
fn named(module: &str, guest: &str) -> String {
    match module.split_once("::") {
        Some((_, inner)) => format!("{inner}::{guest}"),
        None => guest.to_owned(),
    }
}

async fn end(guests: &Guests) {
    guests.end_supervisors(Signal::TERM).await;
}

#[doc(hidden)]
pub async fn one_server_serves_all_processes(module: &str) {
    let (guests, writes) = (Guests::new(), named(module, "writes"));
    guests.pass_together(&[&writes, &writes, &writes, &writes]).await;
    guests.pass(&writes).await;
    let mut servers = guests.notes("server");
    assert_eq!(servers.len(), 5);
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
    end(&guests).await;
}

#[doc(hidden)]
pub async fn every_test_begins_with_a_clean_slice(module: &str) {
    let (guests, writes) = (Guests::new(), named(module, "writes"));
    for _ in 0..3 {
        guests.pass_together(&[&writes, &writes, &writes]).await;
        guests
            .fail_saying(&named(module, "writes_and_fails"), &["it fails"])
            .await;
        guests.pass(&writes).await;
    }
    assert_eq!(guests.notes("found"), [""; 0]);
    end(&guests).await;
}

#[doc(hidden)]
pub async fn what_a_killed_test_wrote_is_gone(module: &str) {
    let (guests, writes) = (Guests::new(), named(module, "writes"));
    for _ in 0..2 {
        let mut busy = guests.start_busy(&named(module, "writes_and_hangs")).await;
        busy.kill().await.expect("it runs");
        guests.clear_notes("busy");
        guests.pass_together(&[&writes, &writes]).await;
    }
    assert_eq!(guests.notes("found"), [""; 0]);
    end(&guests).await;
}

#[doc(hidden)]
pub async fn a_client_that_outlives_its_test_is_locked_out(module: &str) {
    let guests = Guests::new();
    for round in 1..=3 {
        guests.pass_in_one_process(&named(module, "stale::")).await;
        let noted = guests.notes("stale");
        assert_eq!(noted.len(), round);
        assert!(noted.iter().all(|line| line.starts_with("refused")), "{noted:?}");
        let writes = named(module, "writes");
        guests.pass_together(&[&writes, &writes]).await;
    }
    end(&guests).await;
}

#[doc(hidden)]
pub async fn a_failing_test_says_what_the_server_has_of_it(module: &str) {
    let guests = Guests::new();
    let said = guests.fail(&named(module, "is_told_of_what_it_provoked")).await;
    for told in guests.notes("told") {
        assert!(said.contains(&told), "`{told}` isn't told:\n{said}");
    }
    let other = guests.fail(&named(module, "writes_and_fails")).await;
    assert!(!other.contains("logged for this test"), "it provoked nothing:\n{other}");
    end(&guests).await;
}

#[doc(hidden)]
pub async fn what_a_failing_test_wrote_stays_if_asked_for(module: &str) {
    let guests = Guests::new().with("ITEST_KEEP", "30s");
    let said = guests.fail(&named(module, "writes_and_fails")).await;
    assert!(said.contains("its data stays for 30s"), "{said}");
    // It is nobody else's meanwhile.
    guests.pass(&named(module, "writes")).await;
    assert_eq!(guests.notes("found"), [""; 0]);
    end(&guests).await;
}

#[doc(hidden)]
pub async fn nothing_is_left(module: &str, killed: bool) {
    let (guests, writes) = (Guests::new(), named(module, "writes"));
    guests.pass_together(&[&writes, &writes]).await;
    let servers = guests.processes();
    let signal = if killed { Signal::KILL } else { Signal::TERM };
    guests.end_supervisors(signal).await;
    wait_until("the servers end", || {
        let left: Vec<_> = servers.iter().filter(|process| process.is_there()).collect();
        (!left.is_empty()).then(|| format!("{left:?}"))
    })
    .await;
}
