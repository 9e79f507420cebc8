//! What a test has of NATS.

#[path = "nats/external.rs"]
mod external;

use async_nats::Client;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;
use itest::service::Nats;
use itest::service::nats::Credentials;
use itest::service::testing::promises::Outcome;
use itest::service::testing::{Guests, Subject};
use itest::{Url, integration};
use rustix::process::Signal;

struct Accounts;

impl Subject for Accounts {
    type Service = Nats;
    type Value = jetstream::Context;

    async fn write(jetstream: &jetstream::Context) -> Outcome<()> {
        let config = stream::Config {
            name: "WRITTEN".to_owned(),
            subjects: vec!["written".to_owned()],
            ..stream::Config::default()
        };
        jetstream.get_or_create_stream(config).await?;
        jetstream.publish("written", "x".into()).await?.await?;
        Ok(())
    }

    async fn count(jetstream: &jetstream::Context) -> Outcome<usize> {
        let mut found = 0;
        let mut streams = jetstream.streams();
        while let Some(stream) = streams.next().await {
            found += usize::try_from(stream?.state.messages)?;
        }
        Ok(found)
    }

    async fn server(jetstream: &jetstream::Context) -> Outcome<String> {
        Ok(jetstream.client().server_info().server_id)
    }

    async fn provoke(jetstream: &jetstream::Context) -> Outcome<&'static [&'static str]> {
        Self::write(jetstream).await?;
        Ok(&["the stream `WRITTEN`: 1 message"])
    }
}

mod promises {
    use super::Accounts;

    itest::service::testing::promises!(nats, Accounts);
}

#[integration(nats)]
async fn messages_come_to_who_subscribes(nats: Client) -> anyhow::Result<()> {
    let mut orders = nats.subscribe("orders.>").await?;
    nats.publish("orders.placed", "one".into()).await?;
    let message = orders.next().await;
    assert_eq!(message.map(|message| message.payload), Some("one".into()));
    Ok(())
}

/// Two tests that would meet each other on a server without accounts.
async fn an_account_is_empty_and_holds_what_it_is_given(jetstream: &jetstream::Context) -> anyhow::Result<()> {
    let config = stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["orders.>".to_owned()],
        ..stream::Config::default()
    };
    assert_eq!(jetstream.stream_names().count().await, 0);
    let mut stream = jetstream.create_stream(config).await?;
    for _ in 0..3 {
        jetstream.publish("orders.placed", "one".into()).await?.await?;
    }
    assert_eq!(stream.info().await?.state.messages, 3);
    Ok(())
}

#[integration(nats)]
async fn one_has_a_stream(jetstream: jetstream::Context) -> anyhow::Result<()> {
    an_account_is_empty_and_holds_what_it_is_given(&jetstream).await
}

#[integration(nats)]
async fn another_has_one_of_that_name(jetstream: jetstream::Context) -> anyhow::Result<()> {
    an_account_is_empty_and_holds_what_it_is_given(&jetstream).await
}

#[integration(left = nats, right = nats)]
async fn two_instances_are_two_accounts(left: Client, right: Client) -> anyhow::Result<()> {
    let mut heard = right.subscribe(">").await?;
    right.flush().await?;
    left.publish("a", "left".into()).await?;
    left.flush().await?;
    right.publish("a", "right".into()).await?;
    assert_eq!(heard.next().await.map(|message| message.payload), Some("right".into()));
    Ok(())
}

#[integration(nats)]
async fn another_process_has_credentials_and_a_url(
    credentials: Credentials,
    url: Url<Nats>,
    nats: Client,
) -> anyhow::Result<()> {
    let other = async_nats::ConnectOptions::with_credentials_file(credentials.path()).await?;
    let other = other.connect(url.as_str()).await?;
    let mut heard = other.subscribe("a").await?;
    other.flush().await?;
    nats.publish("a", "b".into()).await?;
    assert_eq!(heard.next().await.map(|message| message.payload), Some("b".into()));
    Ok(())
}

#[integration(nats(settings("max_payload: 2KB", "debug: true")))]
#[ignore = "a guest"]
async fn says_too_much(nats: Client) -> anyhow::Result<()> {
    assert_eq!(nats.server_info().max_payload, 2048);
    let told = nats.publish("a", vec![0; 4096].into()).await;
    Ok(told?)
}

#[tokio::test]
async fn settings_make_another_server_and_a_failing_test_is_shown_its_lines_of_the_log() {
    let guests = Guests::new();
    let said = guests.fail("says_too_much").await;
    for part in ["what nats logged for this test", "says_too_much#", "Authenticated JWT"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(nats(settings("resolver: MEMORY")))]
#[ignore = "a guest"]
async fn sets_what_is_ours() {}

#[integration(nats(version = "2.1"))]
#[ignore = "a guest"]
async fn asks_for_an_old_one() {}

#[integration(nats(settings("no_such_setting: 1")))]
#[ignore = "a guest"]
async fn has_a_typing_mistake() {}

#[integration(nats)]
#[ignore = "a guest"]
async fn wants_the_operators_key(operator: itest::service::nats::Operator) {
    drop(operator);
}

#[tokio::test]
async fn what_cannot_be_is_said_with_a_remedy() {
    let guests = Guests::new();
    for (guest, parts) in [
        (
            "sets_what_is_ours",
            &["`resolver` in `nats(settings", "not a test's to set"][..],
        ),
        ("asks_for_an_old_one", &["2.1", "2.9"]),
        ("has_a_typing_mistake", &["no_such_setting"]),
        ("wants_the_operators_key", &["`nats(dedicated)`"]),
    ] {
        guests.fail_saying(guest, parts).await;
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(nats)]
async fn an_account_has_no_room_for_everything(jetstream: jetstream::Context) -> anyhow::Result<()> {
    let config = stream::Config {
        name: "LARGE".to_owned(),
        max_bytes: 2 << 30,
        ..stream::Config::default()
    };
    let refused = jetstream
        .create_stream(config)
        .await
        .expect_err("that is too much")
        .to_string();
    let hint = itest::service::Service::explain(&itest::service::nats::nats(), &refused);
    assert!(hint.is_some_and(|hint| hint.contains("nats(dedicated)")), "{refused}");
    Ok(())
}
