//! A service with the name of a built-in one, which says what state of its code serves it.

use itest::provider::{Endpoint, Program, Recipe};
use itest::service::{LeaseName, Placement, Service, Slices, TestContext};
use itest::{Context, Inject, Lease, Result};

/// A test replaces this in the binary.
pub(crate) const SAID: &str = "said by yesterday's code";

pub(crate) fn namesake() -> Namesake {
    let namesake = Namesake {
        placement: Placement::default(),
    };
    namesake.native()
}

#[derive(Debug, Clone)]
pub(crate) struct Namesake {
    placement: Placement,
}

itest::options!(Namesake { native });

impl Service for Namesake {
    const NAME: &'static str = "redis";
    const CODE: &'static str = itest::code!();
    type ServerSpec = ();
    type SliceSpec = ();
    type Grant = String;
    type Slices = Words;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<((), ())> {
        Ok(((), ()))
    }

    fn recipe((): &()) -> Recipe {
        let program = Program::new("memcached").install("install it: `apt-get install memcached`");
        Recipe::listening(program, "memcached:1.6", 11211, |at| {
            [format!("--listen={}", at.host), format!("--port={}", at.port)].into()
        })
    }

    async fn connect((): &(), endpoint: &Endpoint) -> Result<Words> {
        let connected = tokio::net::TcpStream::connect(endpoint.address()?).await;
        connected.map(|_| Words).context(|| "failed to connect")
    }
}

#[derive(Debug)]
pub(crate) struct Words;

impl Slices<Namesake> for Words {
    type Slice = ();

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), _: &LeaseName) -> Result<String> {
        Ok(SAID.to_owned())
    }
}

/// What the supervisor said.
pub(crate) struct Said(pub(crate) String);

impl Inject for Said {
    type Service = Namesake;

    async fn inject(lease: &Lease<Namesake>) -> Result<Self> {
        Ok(Self(lease.grant().clone()))
    }
}
