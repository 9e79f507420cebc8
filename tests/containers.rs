//! A container that a user describes is a service like any other.

mod support;

use itest::integration;
use itest::service::{Container, container};
use itest::wait::{http, listening, logged};
use itest::{ContainerHandle, Url};
use rustix::process::Signal;
use support::notes::note;
use support::{Guests, http_get};

const IMAGE: &str = "localhost/itest-toolbox";
const INDEX: &str = "hello from the toolbox";

fn web() -> Container {
    container(IMAGE, "1").port(8080).wait(http(8080, "/"))
}

fn echo() -> Container {
    container(IMAGE, "1")
        .port(7)
        .entrypoint("/bin/sh")
        .args(["-c", "echo \"ready: $GREETING\"; exec busybox nc -ll -p 7 -e cat"])
        .env(["GREETING=hello"])
        .wait([logged("ready: hello"), listening(7)])
}

#[integration(web)]
#[needs::images]
async fn it_is_ready_when_the_body_begins(web: &ContainerHandle, url: Url<Container>) -> anyhow::Result<()> {
    assert_eq!(web.host(), "127.0.0.1");
    let address = web.address(8080)?;
    assert_eq!(url.as_str(), format!("tcp://{address}"));
    assert!(http_get(&address, "/").await?.contains(INDEX));
    Ok(())
}

#[integration(here = web, there = web)]
#[needs::images]
async fn each_lease_has_a_name_for_what_it_makes(here: &ContainerHandle, there: &ContainerHandle) {
    assert_eq!(here.id(), there.id(), "one container for both");
    assert_ne!(here.namespace(), there.namespace());
    let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(here.namespace().chars().all(usual), "{}", here.namespace());
}

// The function's own values stand in the attribute, too.
#[integration(container("localhost/itest-toolbox", "1", port = 8080))]
#[needs::images]
async fn it_needs_no_function_of_ones_own(web: ContainerHandle) -> anyhow::Result<()> {
    assert!(http_get(&web.address(8080)?, "/").await?.contains(INDEX));
    Ok(())
}

#[integration(web, echo)]
#[needs::images]
async fn each_parameter_gets_the_container_of_its_name(web: &ContainerHandle, echo: &ContainerHandle) {
    assert_ne!(web.id(), echo.id());
    assert!(web.port(8080).is_ok() && echo.port(7).is_ok());
    let error = echo.port(8080).expect_err("it isn't published").render();
    assert!(
        error.contains("doesn't publish its port 8080") && error.contains("published so far: 7"),
        "{error}"
    );
}

#[integration(echo)]
#[needs::images]
async fn commands_run_in_it_and_its_log_is_there(echo: ContainerHandle) -> anyhow::Result<()> {
    let output = echo.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]).await?;
    assert_eq!((output.exit_code, output.is_success()), (3, false));
    assert_eq!(
        (output.stdout(), output.stderr()),
        ("out\n".to_owned(), "err\n".to_owned())
    );
    assert_eq!(echo.exec(["printenv", "GREETING"]).await?.stdout(), "hello\n");
    assert!(echo.logs().await?.contains("ready: hello"));
    Ok(())
}

#[integration(container("localhost/itest-toolbox", "1", port = 8080, files(("/www/mine", "and mine")), tmpfs("/scratch")))]
#[needs::images]
fn files_and_folders_are_put_into_it(web: &ContainerHandle) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Handle::current();
    let mounted = runtime.block_on(web.exec(["sh", "-c", "grep ' /scratch ' /proc/mounts"]))?;
    assert!(mounted.stdout().contains("tmpfs"), "{mounted:?}");
    let page = runtime.block_on(http_get(&web.address(8080)?, "/mine"))?;
    assert!(page.contains("and mine"), "{page}");
    Ok(())
}

#[integration(web)]
#[needs::images]
async fn nobody_stops_what_others_use(web: &ContainerHandle) -> anyhow::Result<()> {
    for refused in [web.stop().await, web.pause().await, web.kill("SIGKILL").await] {
        let error = refused.expect_err("it is shared").render();
        assert!(
            error.contains("from all other tests") && error.contains("dedicated"),
            "{error}"
        );
    }
    assert!(http_get(&web.address(8080)?, "/").await?.contains(INDEX));
    Ok(())
}

#[integration(web(dedicated))]
#[needs::images]
async fn ones_own_can_be_stopped_started_paused_and_killed(web: &ContainerHandle) -> anyhow::Result<()> {
    web.exec(["sh", "-c", "echo changed > /www/index.html"]).await?;
    web.stop().await?;
    http_get(&web.address(8080)?, "/").await.expect_err("it is stopped");
    web.start().await?;
    support::wait_for("it answers again", || async {
        http_get(&web.address(8080)?, "/").await
    })
    .await;
    assert!(
        http_get(&web.address(8080)?, "/").await?.contains("changed"),
        "its files stay"
    );

    web.pause().await?;
    let waited = tokio::time::timeout(
        std::time::Duration::from_millis(200),
        http_get(&web.address(8080)?, "/"),
    )
    .await;
    waited.expect_err("nobody answers");
    web.unpause().await?;
    assert!(http_get(&web.address(8080)?, "/").await?.contains("changed"));

    web.kill("SIGKILL").await?;
    web.start().await?;
    support::wait_for("it answers again", || async {
        http_get(&web.address(8080)?, "/").await
    })
    .await;
    Ok(())
}

#[tokio::test]
#[needs::images]
async fn all_processes_share_one_and_those_who_ask_get_their_own() {
    let guests = Guests::new();
    guests
        .pass_together(&["tells_its_container", "tells_its_container", "tells_its_own_container"])
        .await;
    guests.pass("tells_its_container").await;
    let shared = guests.notes("container");
    assert_eq!(shared.len(), 3);
    assert!(shared.iter().all(|id| *id == shared[0]), "{shared:?}");
    assert!(!shared.contains(&guests.notes("own")[0]));
    guests.end_supervisors(Signal::TERM).await;
    for id in shared.iter().chain(&guests.notes("own")) {
        support::docker::gone(id).await;
    }
}

#[integration(web)]
#[ignore = "a guest"]
async fn tells_its_container(web: ContainerHandle) {
    note("container", web.id());
}

#[integration(web(dedicated))]
#[ignore = "a guest"]
async fn tells_its_own_container(web: ContainerHandle) {
    note("own", web.id());
}

#[tokio::test]
#[needs::images]
async fn one_that_dies_is_started_again() {
    let guests = Guests::new();
    guests.pass("tells_its_container").await;
    let first = guests.notes("container")[0].clone();
    support::docker::docker(&["kill", &first]).await;
    support::docker::gone(&first).await;
    guests.pass("tells_its_container").await;
    assert_ne!(guests.notes("container")[1], first);
    guests.end_supervisors(Signal::TERM).await;
}

#[tokio::test]
#[needs::images]
async fn a_failing_test_shows_what_its_container_said() {
    let guests = Guests::new();
    let said = guests.fail("makes_its_container_speak").await;
    assert!(said.contains("what web logged for this test:"), "{said}");
    assert!(said.contains("response:404"), "{said}");
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(web)]
#[ignore = "a guest that fails"]
async fn makes_its_container_speak(web: ContainerHandle) {
    let answer = http_get(&web.address(8080).unwrap(), "/no-such-page").await.unwrap();
    assert!(answer.contains("404"), "{answer}");
    support::wait_for("the container says so", || async {
        anyhow::ensure!(web.logs().await?.contains("response:404"), "it said nothing");
        Ok(())
    })
    .await;
    panic!("as it should");
}

// What is wrong is said, with what to do about it.

#[tokio::test]
#[needs::images]
async fn what_is_wrong_with_it_is_said() {
    let guests = Guests::new().with("ITEST_START_TIMEOUT", "2s");
    for (guest, parts) in [
        (
            "ends_at_once",
            &["ended at once (exit code", "the cupboard is bare"] as &[&str],
        ),
        (
            "never_answers",
            &["could not be used within 2s", "nobody listens behind", "still asleep"],
        ),
        ("answers_otherwise", &["GET /missing was answered with the status 404"]),
        (
            "waits_for_a_hidden_port",
            &["port 99, which isn't published", "add `.port(99)`"],
        ),
        (
            "has_no_health_check",
            &["its image has no health check", "listening(port)"],
        ),
        (
            "is_no_image",
            &["localhost/no-such-image:1", "is not on the engine, and can't be pulled"],
        ),
    ] {
        let said = guests.fail(guest).await;
        for part in parts {
            assert!(said.contains(part), "{guest}: {part}: {said}");
        }
    }
    guests.end_supervisors(Signal::TERM).await;
}

fn speaker(script: &str) -> Container {
    container(IMAGE, "1").entrypoint("/bin/sh").args(["-c", script])
}

fn bare() -> Container {
    speaker("echo the cupboard is bare; exit 7").port(80)
}

#[integration(bare)]
#[ignore = "a guest that fails"]
async fn ends_at_once() {}

fn asleep() -> Container {
    speaker("echo still asleep; exec sleep 600").port(80)
}

#[integration(asleep)]
#[ignore = "a guest that fails"]
async fn never_answers() {}

fn missing() -> Container {
    container(IMAGE, "1").port(8080).wait(http(8080, "/missing"))
}

#[integration(missing)]
#[ignore = "a guest that fails"]
async fn answers_otherwise() {}

fn hidden() -> Container {
    container(IMAGE, "1").wait(listening(99))
}

#[integration(hidden)]
#[ignore = "a guest that fails"]
async fn waits_for_a_hidden_port() {}

#[integration(container("localhost/itest-toolbox", "1", wait = itest::wait::healthy()))]
#[ignore = "a guest that fails"]
async fn has_no_health_check() {}

#[integration(container("localhost/no-such-image", "1"))]
#[ignore = "a guest that fails"]
async fn is_no_image() {}

#[integration(container("localhost/itest-toolbox", "1", port = 8080, wait = http(8080, "/missing").status(404)))]
#[needs::images]
async fn another_status_may_be_what_is_waited_for(web: ContainerHandle) -> anyhow::Result<()> {
    assert!(http_get(&web.address(8080)?, "/missing").await?.contains("404"));
    Ok(())
}
