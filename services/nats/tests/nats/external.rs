//! On a server that somebody else runs, in operator mode: that of a test that has it to itself.

use std::collections::BTreeSet;
use std::path::Path;

use async_nats::{Client, ConnectOptions};
use itest::service::Nats;
use itest::service::nats::Operator;
use itest::service::testing::{Guests, notes::note, wait_for};
use itest::{Url, integration};
use rustix::process::Signal;

#[integration(nats)]
#[ignore = "a guest"]
async fn has_an_account(nats: Client) -> anyhow::Result<()> {
    note("server", nats.server_info().server_id);
    note("busy", "");
    itest::service::testing::notes::wait_for("end").await;
    Ok(())
}

#[integration(nats(version = "1.0"))]
#[ignore = "a guest"]
async fn asks_for_another_version() {}

#[integration(nats(settings("max_payload: 2MB")))]
#[ignore = "a guest"]
async fn asks_for_a_setting() {}

/// Guests on this server.
fn guests(url: &Url<Nats>, operator: &Operator) -> Guests {
    let (seed, system) = (operator.seed().display(), operator.system().display());
    Guests::new().with("ITEST_NATS_PROVIDER", "external").with(
        "ITEST_NATS_URL",
        format!("{}?operator={seed}&system={system}", url.as_str()),
    )
}

/// The accounts there are.
async fn accounts(url: &str, system: &Path) -> anyhow::Result<BTreeSet<String>> {
    let system = ConnectOptions::with_credentials_file(system)
        .await?
        .connect(url)
        .await?;
    let listed = system.request("$SYS.REQ.CLAIMS.LIST", "".into()).await?;
    let listed: serde_json::Value = serde_json::from_slice(&listed.payload)?;
    let listed = listed["data"].as_array().cloned().unwrap_or_default();
    Ok(listed
        .iter()
        .filter_map(|account| account.as_str().map(str::to_owned))
        .collect())
}

#[integration(nats(native, dedicated))]
async fn a_supervisor_leaves_nothing_there(url: Url<Nats>, operator: Operator, nats: Client) -> anyhow::Result<()> {
    let before = accounts(url.as_str(), operator.system()).await?;
    let guests = guests(&url, &operator);
    let busy = guests.start_busy("external::has_an_account").await;
    assert_eq!(guests.notes("server"), [nats.server_info().server_id]);
    assert!(accounts(url.as_str(), operator.system()).await?.len() > before.len());
    guests.let_end(busy).await;
    guests.end_supervisors(Signal::TERM).await;
    assert_eq!(accounts(url.as_str(), operator.system()).await?, before);
    Ok(())
}

#[integration(nats(native, dedicated))]
async fn what_a_killed_supervisor_left_is_removed_by_the_next(
    url: Url<Nats>,
    operator: Operator,
) -> anyhow::Result<()> {
    let before = accounts(url.as_str(), operator.system()).await?;
    let dead = guests(&url, &operator);
    let mut busy = dead.start_busy("external::has_an_account").await;
    // Another supervisor's, which lives.
    let alive = guests(&url, &operator);
    let other = alive.start_busy("external::has_an_account").await;
    dead.end_supervisors(Signal::KILL).await;
    busy.kill().await?;
    let left = accounts(url.as_str(), operator.system()).await?;

    let next = guests(&url, &operator);
    let busy = next.start_busy("external::has_an_account").await;
    next.let_end(busy).await;
    next.end_supervisors(Signal::TERM).await;
    alive.let_end(other).await;
    alive.end_supervisors(Signal::TERM).await;
    wait_for("the dead one's accounts go", async || {
        let now = accounts(url.as_str(), operator.system()).await?;
        anyhow::ensure!(now == before, "{} of {} are left", now.len() - before.len(), left.len());
        Ok(())
    })
    .await;
    Ok(())
}

#[integration(nats(native, dedicated))]
async fn what_it_is_not_is_said(url: Url<Nats>, operator: Operator) {
    let guests = guests(&url, &operator);
    guests
        .fail_saying("external::asks_for_another_version", &["asks for NATS 1.0"])
        .await;
    guests
        .fail_saying(
            "external::asks_for_a_setting",
            &["`max_payload: 2MB`", "not ours to change"],
        )
        .await;
    for (wrong, parts) in [
        (
            url.as_str().to_owned(),
            &["`operator=FILE`", "by their whole paths"][..],
        ),
        (
            format!("{}?operator=/nowhere&system=/nowhere", url.as_str()),
            &["failed to read /nowhere", "No such file"][..],
        ),
        (
            format!(
                "{}?operator={system}&system={system}",
                url.as_str(),
                system = operator.system().display()
            ),
            &["no operator's key"][..],
        ),
    ] {
        let guests = Guests::new()
            .with("ITEST_NATS_PROVIDER", "external")
            .with("ITEST_NATS_URL", wrong);
        guests.fail_saying("external::has_an_account", parts).await;
        guests.end_supervisors(Signal::TERM).await;
    }
}

#[integration(nats(native, dedicated))]
async fn the_promises_hold_there(url: Url<Nats>, operator: Operator) {
    for promise in [
        "one_server_serves_all_processes",
        "every_test_begins_with_a_clean_slice",
        "what_a_killed_test_wrote_is_gone",
        "a_client_that_outlives_its_test_is_locked_out",
        "what_a_failing_test_wrote_stays_if_asked_for",
    ] {
        guests(&url, &operator).pass(&format!("promises::{promise}")).await;
    }
}
