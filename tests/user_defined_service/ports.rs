//! What a service may ask of a provider besides a process and a port: to be told its outside address before it starts, further
//! ports, commands inside its container.

use std::marker::PhantomData;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU8, Ordering};

use itest::provider::{ContainerLaunch, DockerRecipe, Endpoint, Launch, NativeRecipe, Program, Recipe};
use itest::service::{LeaseName, Placement, Recycled, Service, Slices, TestContext, Used};
use itest::{Context, Error, Inject, Lease, Result, integration};
use tokio::net::TcpStream;

use crate::support::http_get;

/// In its container: sends whoever asks at one port to where it was told that it is, as Kafka does.
const SIGNPOST: &str = r#"
read -r method path version
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
case $path in
  /) printf 'HTTP/1.0 302 Found\r\nLocation: http://%s/there\r\n\r\n' "$ADVERTISED" ;;
  /there) printf 'HTTP/1.0 200 OK\r\n\r\nthis is there' ;;
  /inside) printf 'HTTP/1.0 200 OK\r\n\r\n'; cat /tmp/inside ;;
esac
"#;

fn signpost() -> Signpost {
    // It is nothing else, whatever a setting says of other services.
    Signpost::default().docker()
}

#[derive(Clone, Default)]
struct Signpost {
    placement: Placement,
    contested: bool,
}

impl Signpost {
    /// Somebody takes its port just before the container does.
    fn contested(mut self) -> Self {
        self.contested = true;
        self
    }
}

itest::options!(Signpost { docker, dedicated });

impl Service for Signpost {
    const NAME: &'static str = "signpost";
    const CODE: &'static str = itest::code!();
    /// Whether its port is contested.
    type ServerSpec = bool;
    type SliceSpec = ();
    /// The address, and that of the second port.
    type Grant = (String, String);
    type Slices = Addresses;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<(bool, ())> {
        Ok((self.contested, ()))
    }

    fn recipe(contested: &bool) -> Recipe {
        let recipe = DockerRecipe::new("localhost/itest-toolbox:1", 8080).more_ports([8081]);
        let contests = AtomicU8::new(if *contested { 2 } else { 0 });
        Recipe::docker(recipe.advertises().launch(move |start| {
            let outside = start.address_of(8080).unwrap_or_default();
            if contests.load(Ordering::Relaxed) > 0 {
                contests.fetch_sub(1, Ordering::Relaxed);
                std::mem::forget(TcpListener::bind(&outside));
            }
            let listen = "busybox nc -ll -p 8081 -e sh /signpost & exec busybox nc -ll -p 8080 -e sh /signpost";
            ContainerLaunch::new(["-c", listen])
                .entrypoint("/bin/sh")
                .env([("ADVERTISED".to_owned(), outside)])
                .file("/signpost", SIGNPOST)
        }))
    }

    async fn connect(_: &bool, endpoint: &Endpoint) -> Result<Addresses> {
        let container = endpoint.container.as_ref();
        let container = container.ok_or_else(|| Error::new("it is not a container").permanent())?;
        let written = container.exec(["sh", "-c", "echo written inside >/tmp/inside"]).await?;
        if !written.is_success() {
            return Err(Error::new(written.stderr()));
        }
        let addresses = (endpoint.address()?, endpoint.address_of(8081)?);
        for address in [&addresses.0, &addresses.1] {
            let answer = http_get(address, "/there").await;
            answer.map_err(|error| Error::new(format!("it doesn't answer yet: {error}")))?;
        }
        Ok(Addresses(addresses))
    }
}

fn twofold() -> Twofold {
    Twofold::default().native()
}

#[derive(Clone, Default)]
struct Twofold {
    placement: Placement,
}

itest::options!(Twofold { native });

impl Service for Twofold {
    const NAME: &'static str = "twofold";
    const CODE: &'static str = itest::code!();
    type ServerSpec = ();
    type SliceSpec = ();
    type Grant = (String, String);
    type Slices = Addresses;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<((), ())> {
        Ok(((), ()))
    }

    fn recipe((): &()) -> Recipe {
        let recipe = NativeRecipe::new(Program::new("memcached"), |place| {
            let (one, other) = (place.port, place.ports[&11212]);
            Launch::new([format!("--listen=127.0.0.1:{one},127.0.0.1:{other}")])
        });
        Recipe::native(recipe.more_ports([11212]).refuses_root())
    }

    async fn connect((): &(), endpoint: &Endpoint) -> Result<Addresses> {
        let said = endpoint.address_of(11213).expect_err("nobody asked for it").render();
        assert!(said.contains("no port 11213"), "{said}");
        let addresses = (endpoint.address()?, endpoint.address_of(11212)?);
        for address in [&addresses.0, &addresses.1] {
            TcpStream::connect(address).await.context(|| "it doesn't listen yet")?;
        }
        Ok(Addresses(addresses))
    }
}

struct Addresses((String, String));

impl<S> Slices<S> for Addresses
where
    S: Service<SliceSpec = (), Grant = (String, String), Slices = Self>,
{
    type Slice = ();

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), _: &LeaseName) -> Result<(String, String)> {
        Ok(self.0.clone())
    }

    async fn recycle(&self, (): &mut (), _: Used) -> Result<Recycled> {
        Ok(Recycled::Ready)
    }
}

/// Where a service's two ports are.
struct Ports<S>(String, String, PhantomData<fn() -> S>);

impl<S: Service<Grant = (String, String)>> Inject for Ports<S> {
    type Service = S;

    async fn inject(lease: &Lease<S>) -> Result<Self> {
        let (one, other) = lease.grant().clone();
        Ok(Self(one, other, PhantomData))
    }
}

#[integration(here = signpost, there = signpost(dedicated))]
#[needs::images]
async fn a_server_that_says_where_it_is_was_told_before_it_started(
    here: Ports<Signpost>,
    there: Ports<Signpost>,
) -> anyhow::Result<()> {
    for Ports(address, ..) in [&here, &there] {
        let answer = http_get(address, "/").await?;
        let sent_to = answer
            .lines()
            .find_map(|line| line.strip_prefix("Location: http://")?.strip_suffix("/there"));
        assert_eq!(sent_to, Some(address.as_str()), "{answer}");
        assert!(http_get(sent_to.unwrap(), "/there").await?.contains("this is there"));
    }
    assert_ne!(here.0, there.0);
    Ok(())
}

#[integration(signpost(contested))]
#[needs::images]
async fn a_port_that_somebody_takes_before_the_container_is_replaced_by_another(
    posts: Ports<Signpost>,
) -> anyhow::Result<()> {
    let answer = http_get(&posts.0, "/").await?;
    assert!(answer.contains(&format!("http://{}/there", posts.0)), "{answer}");
    Ok(())
}

#[integration(signpost)]
#[needs::images]
async fn commands_run_inside_and_a_further_port_is_published(posts: Ports<Signpost>) -> anyhow::Result<()> {
    assert!(http_get(&posts.1, "/inside").await?.contains("written inside"));
    assert_ne!(posts.0, posts.1);
    Ok(())
}

#[integration(twofold)]
#[needs::memcached]
async fn a_process_has_further_ports_too(two: Ports<Twofold>) -> anyhow::Result<()> {
    assert_ne!(two.0, two.1);
    TcpStream::connect(&two.1).await?;
    Ok(())
}
