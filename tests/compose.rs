//! A compose file is a service: brought up once in each run, under a name of its own, and taken down.

mod support;

use itest::service::{Compose, compose};
use itest::{ComposeHandle, integration};
use rustix::process::Signal;
use support::docker::{containers, docker};
use support::notes::note;
use support::{Guests, http_get};

fn stack() -> Compose {
    compose("tests/compose/docker-compose.test.yml")
}

#[integration(stack)]
#[needs::compose]
async fn it_is_ready_when_the_body_begins(stack: &ComposeHandle) -> anyhow::Result<()> {
    let page = http_get(&stack.address("web", 8080)?, "/page/index.html").await?;
    assert!(page.contains("from the repository"), "{page}");
    assert!(
        http_get(&stack.address("built", 8080)?, "/built")
            .await?
            .contains("built by compose")
    );
    let web = stack.container("web")?;
    assert_eq!(web.exec(["cat", "/store/done"]).await?.stdout(), "the job is done\n");
    assert_eq!(web.exec(["printenv", "GREETING"]).await?.stdout(), "hello\n");
    assert_eq!(stack.containers("web")?.len(), 1);
    // Services reach each other by their names, as ever.
    let listing = docker(&["port", web.id()]).await;
    assert!(
        listing.contains("127.0.0.1") && !listing.contains("18080") && !listing.contains("0.0.0.0"),
        "{listing}"
    );
    Ok(())
}

#[integration(compose("tests/compose/docker-compose.test.yml", env("GREETING=good day"), profiles("extra")))]
#[needs::compose]
async fn another_environment_is_another_stack(stack: &ComposeHandle) -> anyhow::Result<()> {
    let web = stack.container("web")?;
    assert_eq!(web.exec(["printenv", "GREETING"]).await?.stdout(), "good day\n");
    stack.container("extra")?;
    Ok(())
}

#[integration(stack)]
#[needs::compose]
async fn what_it_has_not_is_said(stack: &ComposeHandle) -> anyhow::Result<()> {
    let error = stack.address("search", 9200).expect_err("no such service").render();
    assert!(
        error.contains("no service `search`") && error.contains("`built`, `job`, `web`"),
        "{error}"
    );
    let error = stack.address("web", 9200).expect_err("no such port").render();
    assert!(error.contains("doesn't publish its port 9200"), "{error}");
    let error = stack.container("web")?.stop().await.expect_err("it is shared").render();
    assert!(error.contains("dedicated"), "{error}");
    Ok(())
}

#[integration(stack(dedicated))]
#[needs::compose]
async fn ones_own_can_be_stopped(stack: &ComposeHandle) -> anyhow::Result<()> {
    let web = stack.container("web")?;
    web.stop().await?;
    http_get(&web.address(8080)?, "/").await.expect_err("it is stopped");
    web.start().await?;
    support::wait_for("it answers again", || async {
        http_get(&web.address(8080)?, "/").await
    })
    .await;
    Ok(())
}

#[tokio::test]
#[needs::compose]
async fn it_is_brought_up_once_and_taken_down() {
    let guests = Guests::new();
    guests
        .pass_together(&["tells_its_project", "tells_its_project", "tells_its_project"])
        .await;
    let projects = guests.notes("project");
    assert!(
        projects.len() == 3 && projects.iter().all(|project| *project == projects[0]),
        "{projects:?}"
    );
    let filter = format!("label=com.docker.compose.project={}", projects[0]);
    assert_eq!(containers(&filter).await.len(), 3);
    guests.end_supervisors(Signal::TERM).await;
    support::docker::nothing_of(&filter).await;
}

// Fixed names and ports in the file notwithstanding.
#[tokio::test]
#[needs::compose]
async fn two_runs_have_it_at_once() {
    let (one, other) = (Guests::new(), Guests::new());
    tokio::join!(one.pass("tells_its_project"), other.pass("tells_its_project"));
    assert_ne!(one.notes("project"), other.notes("project"));
    one.end_supervisors(Signal::TERM).await;
    let left = format!("label=com.docker.compose.project={}", other.notes("project")[0]);
    assert_eq!(containers(&left).await.len(), 3, "the other's are still there");
    // However it ends.
    other.end_supervisors(Signal::KILL).await;
    for guests in [one, other] {
        support::docker::nothing_of(&format!(
            "label=com.docker.compose.project={}",
            guests.notes("project")[0]
        ))
        .await;
    }
}

#[integration(stack)]
#[ignore = "a guest"]
async fn tells_its_project(stack: ComposeHandle) {
    note("project", stack.project());
}

#[tokio::test]
#[needs::compose]
async fn what_is_wrong_with_it_is_said() {
    let guests = Guests::new().with("ITEST_START_TIMEOUT", "8s");
    for (guest, parts) in [
        (
            "has_a_job_that_fails",
            &["`job`", "ended", "exit code", "the migration failed"] as &[&str],
        ),
        (
            "is_never_healthy",
            &[
                "could not be used within 8s",
                "the health check of `web` hasn't said yes",
            ],
        ),
        ("makes_no_sense", &["failed to read", "nonsense.yml", "colour"]),
        (
            "has_no_such_image",
            &["localhost/no-such-image:1", "is not on the engine"],
        ),
        (
            "is_not_there",
            &[
                "failed to read the compose file",
                "missing.yml",
                "relative to the package",
            ],
        ),
    ] {
        let said = guests.fail(guest).await;
        for part in parts {
            assert!(said.contains(part), "{guest}: {part}: {said}");
        }
    }
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(compose("tests/compose/broken.yml"))]
#[ignore = "a guest that fails"]
async fn has_a_job_that_fails() {}

#[integration(compose("tests/compose/never_healthy.yml"))]
#[ignore = "a guest that fails"]
async fn is_never_healthy() {}

#[integration(compose("tests/compose/nonsense.yml"))]
#[ignore = "a guest that fails"]
async fn makes_no_sense() {}

#[integration(compose("tests/compose/no_image.yml"))]
#[ignore = "a guest that fails"]
async fn has_no_such_image() {}

#[integration(compose("tests/compose/missing.yml"))]
#[ignore = "a guest that fails"]
async fn is_not_there() {}
