//! Images come from where a person says, each once, and one that can't be had is told about at once, and once in a run.

mod support;

use std::time::{Duration, Instant};

use itest::service::{Container, container};
use itest::{ContainerHandle, integration};
use rustix::process::Signal;
use serde_json::json;
use support::Guests;
use support::docker::docker;
use support::registry::{LOGIN, Registry};

/// How long a person may have to wait for bad news that is known at once.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The image that this guest is told to use.
fn told() -> Container {
    let name = std::env::var("GUEST_IMAGE").unwrap_or_default();
    let (image, tag) = name.rsplit_once(':').unwrap_or(("localhost/itest-toolbox", "1"));
    container(image, tag)
}

#[integration(told)]
#[ignore = "a guest"]
async fn uses_an_image(told: ContainerHandle) -> anyhow::Result<()> {
    let said = told.exec(["/bin/busybox", "echo", "it works"]).await?;
    anyhow::ensure!(said.stdout() == "it works\n", "{said:?}");
    Ok(())
}

#[integration(one = told, other = told(dedicated))]
#[ignore = "a guest"]
async fn uses_an_image_twice(one: ContainerHandle, other: ContainerHandle) {
    assert_ne!(one.id(), other.id());
}

async fn end(guests: &Guests, image: &str) {
    guests.end_supervisors(Signal::TERM).await;
    docker(&["rmi", image]).await;
}

#[tokio::test]
#[needs::images]
async fn an_image_that_is_not_there_is_pulled_once_however_many_need_it() {
    let registry = Registry::open().await;
    let image = format!("{}/good:1", registry.address);
    let guests = Guests::new().with("GUEST_IMAGE", &image);
    guests
        .pass_together(&["uses_an_image", "uses_an_image_twice", "uses_an_image"])
        .await;
    assert_eq!(registry.given(), 1);
    let said = guests.run("uses_an_image").await.said;
    assert!(!said.contains("pulling"), "{said}");
    end(&guests, &image).await;
}

#[tokio::test]
#[needs::images]
async fn who_waits_for_a_pull_is_told() {
    let registry = Registry::open().await;
    let image = format!("{}/good:1", registry.address);
    let guests = Guests::new().with("GUEST_IMAGE", &image);
    let said = guests.run("uses_an_image").await.said;
    assert!(said.contains(&format!("itest: pulling {image}")), "{said}");
    end(&guests, &image).await;
}

#[tokio::test]
#[needs::images]
async fn a_prefix_leads_to_a_mirror() {
    let registry = Registry::open().await;
    let guests = Guests::new()
        .with("GUEST_IMAGE", "good:1")
        .with("ITEST_IMAGE_PREFIX", format!("{}/lib", registry.address));
    guests.pass("uses_an_image").await;
    assert_eq!(registry.given(), 1);
    end(&guests, &format!("{}/lib/good:1", registry.address)).await;
}

#[tokio::test]
#[needs::images]
async fn a_registry_that_wants_to_know_who_one_is_is_told_what_docker_login_stored() {
    let registry = Registry::closed().await;
    let image = format!("{}/good:1", registry.address);
    let stranger = Guests::new()
        .with("GUEST_IMAGE", &image)
        .with("DOCKER_CONFIG", "/nowhere");
    let said = stranger.fail("uses_an_image").await;
    for part in [&format!("`docker login {}`", registry.address), "can't be pulled"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    stranger.end_supervisors(Signal::TERM).await;

    let config = json!({"auths": {registry.address.as_str(): {"auth": LOGIN}}}).to_string();
    let known = Guests::new()
        .with("GUEST_IMAGE", &image)
        .with("DOCKER_AUTH_CONFIG", config);
    known.pass("uses_an_image").await;
    end(&known, &image).await;

    let wrong = json!({"auths": {registry.address.as_str(): {"auth": "c29tZWJvZHk6d3Jvbmc="}}}).to_string();
    let mistaken = Guests::new()
        .with("GUEST_IMAGE", &image)
        .with("DOCKER_AUTH_CONFIG", wrong);
    let said = mistaken.fail("uses_an_image").await;
    assert!(
        said.contains("docker login") && !said.contains("wrong") && !said.contains("c29t"),
        "{said}"
    );
    mistaken.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
#[needs::images]
async fn why_an_image_cannot_be_pulled_is_said_at_once_with_what_to_do() {
    let registry = Registry::open().await;
    let here = |name: &str| format!("{}/{name}", registry.address);
    for (image, parts) in [
        (here("good:no-such-tag"), &["manifest unknown", "no such image or tag"]),
        (here("limited:1"), &["rate limit", "ITEST_IMAGE_PREFIX"]),
        (
            "127.0.0.1:1/good:1".to_owned(),
            &["connection refused", "can't be reached"],
        ),
    ] {
        let guests = Guests::new().with("GUEST_IMAGE", &image);
        let began = Instant::now();
        let said = guests.fail("uses_an_image").await;
        assert!(began.elapsed() < AT_ONCE, "{image}: {:?}", began.elapsed());
        for part in parts
            .iter()
            .chain(&[image.as_str(), "is not on the engine, and can't be pulled"])
        {
            assert!(said.contains(part), "{image}: {part}: {said}");
        }
        // The tests of one run are told the same, and the registry isn't asked again.
        let asked = registry.asked();
        let again = guests.fail("uses_an_image").await;
        assert!(again.contains(parts[0]), "{again}");
        assert_eq!(registry.asked(), asked, "{image}");
        guests.end_supervisors(Signal::TERM).await;
    }
}

// A pull that makes no progress is given up, and the tests with it.
#[tokio::test]
#[needs::images]
async fn a_registry_that_says_nothing_does_not_hang_the_tests() {
    let registry = Registry::open().await;
    let guests = Guests::new().with("GUEST_IMAGE", format!("{}/silent:1", registry.address));
    let said = guests.fail("uses_an_image").await;
    assert!(said.contains("nothing was heard for 20s"), "{said}");
    guests.end_supervisors(Signal::TERM).await;
}
