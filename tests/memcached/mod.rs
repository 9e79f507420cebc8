//! A service of one's own, from its builder to the client that tests receive: memcached.
//!
//! One server runs for all tests. memcached has neither databases nor users, so a slice is a *namespace*: a prefix of keys
//! that no other lease has. That keeps tests apart as long as they use the client, which adds it.

mod client;

use itest::provider::{Endpoint, Launch, NativeRecipe, Place, Program, Recipe};
use itest::service::{Common, LeaseName, Recycled, Service, Slices, TestContext, Used};
use itest::{Context, Error, Inject, Lease, Result};
use serde::{Deserialize, Serialize};

pub(crate) use client::Client;

/// What the attribute calls: `#[integration(memcached(megabytes = 16))]`.
pub(crate) fn memcached() -> Memcached {
    Memcached {
        common: Common::default(),
        megabytes: 64,
    }
}

/// The builder. What tests ask of the service is its methods.
#[derive(Debug, Clone)]
pub(crate) struct Memcached {
    common: Common,
    megabytes: u32,
}

impl Memcached {
    /// How much the server keeps before it forgets. Tests that differ in this get different servers.
    pub(crate) fn megabytes(mut self, megabytes: u32) -> Self {
        self.megabytes = megabytes;
        self
    }

    /// A server of the test's own.
    pub(crate) fn dedicated(mut self) -> Self {
        self.common.dedicated = true;
        self
    }
}

/// What shapes the server: data, which is compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    megabytes: u32,
}

/// What a test needs to know of its slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    address: String,
    namespace: String,
}

impl Service for Memcached {
    const NAME: &'static str = "memcached";
    const CODE: &'static str = itest::code!();
    type Server = Server;
    type Slice = ();
    type Grant = Grant;
    type Slices = Namespaces;
    type Session = ();

    fn common(&self) -> &Common {
        &self.common
    }

    fn server(&self, _: &TestContext) -> Server {
        Server {
            megabytes: self.megabytes,
        }
    }

    fn slice(&self, _: &TestContext) -> Result<()> {
        Ok(())
    }

    fn recipe(server: &Server) -> Recipe {
        let program = Program {
            name: "memcached".to_owned(),
            install: "install it: `apt-get install memcached`, `brew install memcached`".to_owned(),
            ..Program::default()
        };
        let megabytes = server.megabytes;
        Recipe::native(NativeRecipe {
            refuses_root: true,
            ..NativeRecipe::new(program, move |place| launch(place, megabytes))
        })
    }

    async fn connect(_: &Server, endpoint: &Endpoint) -> Result<Namespaces> {
        let address = endpoint.address()?;
        Client::connect(&address, String::new())
            .await
            .context(|| "failed to connect")?
            .version()
            .await
            .context(|| "failed to ask for the version")?;
        Ok(Namespaces { address })
    }

    fn url(grant: &Grant) -> Result<String> {
        Ok(format!(
            "memcache://{}/{}",
            grant.address,
            grant.namespace.replace('#', "%23")
        ))
    }

    fn explain(&self, failure: &str) -> Option<String> {
        failure
            .contains("SERVER_ERROR object too large")
            .then(|| "memcached takes values of 1 MB at most".to_owned())
    }
}

fn launch(place: &Place, megabytes: u32) -> Launch {
    let words = format!(
        "--listen=127.0.0.1 --port={} --udp-port=0 --memory-limit={megabytes}",
        place.port
    );
    Launch {
        args: words.split(' ').map(str::to_owned).collect(),
        ..Launch::default()
    }
}

/// The supervisor's end: makes and grants slices of one server.
#[derive(Debug)]
pub(crate) struct Namespaces {
    address: String,
}

impl Slices for Namespaces {
    type Spec = ();
    type Grant = Grant;
    type Slice = ();

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), lease: &LeaseName) -> Result<Grant> {
        Ok(Grant {
            address: self.address.clone(),
            // A key has 250 bytes at most; most of them are the test's.
            namespace: lease.within(60),
        })
    }

    // The next lease has another name, and so another namespace: what this one left, nobody finds, and memcached forgets.
    async fn recycle(&self, (): &mut (), _: Used) -> Result<Recycled> {
        Ok(Recycled::Ready)
    }
}

/// What tests receive.
impl Inject for Client {
    type Service = Memcached;

    async fn inject(lease: &Lease<Memcached>) -> Result<Self, Error> {
        let Grant { address, namespace } = lease.grant();
        Client::connect(address, format!("{namespace}:"))
            .await
            .context(|| format!("failed to connect to memcached at {address}"))
    }
}
