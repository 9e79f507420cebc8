//! A service with the name of a built-in one, which says what state of its code serves it.

use itest::provider::{Endpoint, Launch, NativeRecipe, Program, Recipe};
use itest::service::{Common, LeaseName, Service, Slices, TestContext};
use itest::spec::Provider;
use itest::{Context, Inject, Lease, Result};

/// A test replaces this in the binary.
pub(crate) const SAID: &str = "said by yesterday's code";

pub(crate) fn namesake() -> Namesake {
    Namesake(Common {
        provider: Some(Provider::Native),
        ..Common::default()
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Namesake(Common);

impl Service for Namesake {
    const NAME: &'static str = "redis";
    const CODE: &'static str = itest::code!();
    type Server = ();
    type Slice = ();
    type Grant = String;
    type Slices = Words;
    type Session = ();

    fn common(&self) -> &Common {
        &self.0
    }

    fn server(&self, _: &TestContext) {}

    fn slice(&self, _: &TestContext) -> Result<()> {
        Ok(())
    }

    fn recipe((): &()) -> Recipe {
        let program = Program {
            name: "memcached".to_owned(),
            install: "install it: `apt-get install memcached`".to_owned(),
            ..Program::default()
        };
        Recipe::native(NativeRecipe {
            refuses_root: true,
            ..NativeRecipe::new(program, |place| Launch {
                args: ["--listen=127.0.0.1".to_owned(), format!("--port={}", place.port)].into(),
                ..Launch::default()
            })
        })
    }

    async fn connect((): &(), endpoint: &Endpoint) -> Result<Words> {
        let connected = tokio::net::TcpStream::connect(endpoint.address()?).await;
        connected.map(|_| Words).context(|| "failed to connect")
    }

    fn url(said: &String) -> Result<String> {
        Ok(said.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Words;

impl Slices for Words {
    type Spec = ();
    type Grant = String;
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
