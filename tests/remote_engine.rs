//! An engine on another machine: by ssh, where its ports come through the same connection, and by tcp.

mod support;

use std::time::{Duration, Instant};

use itest::service::{Compose, Container, compose, container};
use itest::wait::http;
use itest::{ComposeHandle, ContainerHandle, integration};
use rustix::process::Signal;
use sqlx::PgPool;
use support::docker::{docker, gone};
use support::notes::note;
use support::{Guests, http_get};

const POSTGRES: &str = "localhost/itest-postgres:15";

fn web() -> Container {
    container("localhost/itest-toolbox", "1")
        .port(8080)
        .wait(http(8080, "/"))
}

#[integration(postgres, web)]
#[ignore = "a guest"]
async fn uses_containers(mut db: PgPool, web: ContainerHandle) -> anyhow::Result<()> {
    tells(&mut db, &web).await
}

async fn tells(db: &mut PgPool, web: &ContainerHandle) -> anyhow::Result<()> {
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&*db).await?;
    assert_eq!(one, 1);
    assert!(http_get(&web.address(8080)?, "/").await?.contains("toolbox"));
    assert_eq!(web.exec(["echo", "there"]).await?.stdout(), "there\n");
    note("address", web.address(8080)?);
    note("container", web.id());
    Ok(())
}

#[integration(web(dedicated))]
#[ignore = "a guest"]
async fn stops_and_starts_its_own(web: ContainerHandle) -> anyhow::Result<()> {
    let before = web.port(8080)?;
    web.stop().await?;
    web.start().await?;
    assert_ne!(web.port(8080)?, before, "another port leads to where it is now");
    support::wait_for("it answers again", || async {
        http_get(&web.address(8080)?, "/").await
    })
    .await;
    Ok(())
}

fn stack() -> Compose {
    compose("tests/compose/docker-compose.test.yml")
}

#[integration(stack)]
#[ignore = "a guest"]
async fn uses_a_compose_file(stack: ComposeHandle) -> anyhow::Result<()> {
    let page = http_get(&stack.address("web", 8080)?, "/page/index.html").await?;
    assert!(page.contains("from the repository"), "{page}");
    note("container", stack.container("web")?.id());
    Ok(())
}

mod by_ssh {
    use super::*;
    use support::sshd::{NAME, Sshd};

    fn guests(sshd: &Sshd) -> Guests {
        containers()
            .with("DOCKER_HOST", format!("ssh://{NAME}"))
            .with("PATH", sshd.path())
    }

    /// Nothing is left: not the container, nor the connection.
    async fn nothing_left(guests: &Guests, sshd: &Sshd) {
        for container in guests.notes("container") {
            gone(&container).await;
        }
        support::wait_for("the connection ends", || async {
            anyhow::ensure!(!sshd.has_guests().await, "somebody is logged in");
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    #[needs::sshd]
    async fn everything_goes_through_one_connection_and_none_is_left() {
        let sshd = Sshd::start().await;
        for signal in [Signal::TERM, Signal::KILL] {
            let guests = guests(&sshd);
            guests
                .pass_together(&["uses_containers", "uses_containers", "stops_and_starts_its_own"])
                .await;
            let id = &guests.notes("container")[0];
            let published = docker(&["port", id]).await;
            let address = &guests.notes("address")[0];
            assert!(published.contains("-> 127.0.0.1:"), "{published}");
            assert!(
                address.starts_with("127.0.0.1:") && !published.contains(address),
                "{address} is not the engine's own: {published}"
            );
            guests.end_supervisors(signal).await;
            nothing_left(&guests, &sshd).await;
        }
    }

    #[tokio::test]
    #[needs::sshd_and_compose]
    async fn a_compose_file_works_as_well() {
        let sshd = Sshd::start().await;
        let guests = guests(&sshd);
        guests.pass("uses_a_compose_file").await;
        guests.end_supervisors(Signal::TERM).await;
        nothing_left(&guests, &sshd).await;
    }

    #[tokio::test]
    #[needs::sshd]
    async fn a_connection_that_breaks_is_made_anew() {
        let sshd = Sshd::start().await;
        let guests = guests(&sshd);
        guests.pass("uses_containers").await;
        sshd.cut_off().await;
        // It takes a moment until anybody can know.
        support::wait_for("containers can be used again", || async {
            let ended = guests.run("uses_containers").await;
            anyhow::ensure!(ended.passed, "{}", ended.said);
            Ok(())
        })
        .await;
        assert_eq!(guests.supervisors().len(), 1);
        guests.end_supervisors(Signal::TERM).await;
        nothing_left(&guests, &sshd).await;
    }

    #[tokio::test]
    #[needs::sshd]
    async fn what_is_wrong_with_it_is_said() {
        let sshd = Sshd::start().await;
        for (address, parts) in [
            (
                "ssh://nobody@127.0.0.1:1",
                &[
                    "failed to reach ssh://nobody@127.0.0.1:1 by ssh",
                    "refused",
                    "`ssh -p 1 nobody@127.0.0.1 docker version`",
                ] as &[&str],
            ),
            (
                "ssh://engine/nowhere/docker.sock",
                &[
                    "the container engine can't be used",
                    "an engine listen at /nowhere/docker.sock there",
                ],
            ),
            ("ssh://me:secret@engine", &["its address has a password", "use a key"]),
        ] {
            let guests = guests(&sshd).with("DOCKER_HOST", address);
            let began = Instant::now();
            let said = guests.fail("uses_containers").await;
            for part in parts {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert!(!said.contains("secret"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
            guests.end_supervisors(Signal::TERM).await;
        }
    }
}

mod by_tcp {
    use super::*;

    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, UnixStream};

    /// This machine's address on the engine's own network.
    async fn bridge() -> String {
        let format = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}";
        let told = docker(&["network", "inspect", "bridge", "--format", format]).await;
        let (gateway, subnet) = told.trim_end().split_once(' ').expect("two values");
        if !gateway.is_empty() {
            return gateway.to_owned();
        }
        let network: Ipv4Addr = subnet.split('/').next().unwrap().parse().expect("an address");
        Ipv4Addr::from(u32::from(network) + 1).to_string()
    }

    /// The engine, at an address of this machine that isn't loopback's.
    async fn engine() -> (String, u16) {
        let host = bridge().await;
        let listener = TcpListener::bind((host.as_str(), 0))
            .await
            .expect("it is this machine's");
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut engine = UnixStream::connect("/var/run/docker.sock").await.expect("it listens");
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut engine).await;
                });
            }
        });
        (host, port)
    }

    #[tokio::test]
    #[needs::images]
    async fn ports_are_reached_at_the_engines_machine_or_where_a_person_says() {
        let (host, port) = engine().await;
        for (wanted, expected) in [("", host.as_str()), ("127.0.0.2", "127.0.0.2")] {
            let guests = containers()
                .with("DOCKER_HOST", format!("tcp://{host}:{port}"))
                .with("TESTCONTAINERS_HOST_OVERRIDE", wanted);
            guests.pass("uses_containers").await;
            let address = &guests.notes("address")[0];
            assert!(address.starts_with(&format!("{expected}:")), "{address}");
            guests.end_supervisors(Signal::TERM).await;
            gone(&guests.notes("container")[0]).await;
        }
    }
}

fn containers() -> Guests {
    Guests::new()
        .with("ITEST_PROVIDER", "docker")
        .with("ITEST_POSTGRES_PROVIDER", "")
        .with("ITEST_POSTGRES_URL", "")
        .with("ITEST_POSTGRES_IMAGE", POSTGRES)
}
