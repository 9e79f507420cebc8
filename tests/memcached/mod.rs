//! A service of one's own, from its builder to the client that tests receive: memcached.
//!
//! One server runs for all tests. memcached has neither databases nor users, so a slice is a *namespace*: a prefix of keys
//! that no other lease has. That keeps tests apart as long as they use the client, which adds it.

mod client;

use itest::provider::{Endpoint, Program, Recipe};
use itest::service::{LeaseName, Placement, Recycled, Service, Slices, TestContext, Used};
use itest::{Context, Error, Inject, Lease, Result};

pub(crate) use client::Client;

/// What the attribute calls: `#[integration(memcached(megabytes = 16))]`.
pub(crate) fn memcached() -> Memcached {
    Memcached {
        placement: Placement::default(),
        megabytes: 64,
    }
}

/// The builder. What tests ask of the service is its methods.
#[derive(Debug, Clone)]
pub(crate) struct Memcached {
    placement: Placement,
    megabytes: u32,
}

itest::options!(Memcached {
    dedicated,
    docker,
    native,
    external
});

impl Memcached {
    /// How much the server keeps before it forgets. Tests that differ in this get different servers.
    pub(crate) fn megabytes(mut self, megabytes: u32) -> Self {
        self.megabytes = megabytes;
        self
    }
}

impl Service for Memcached {
    const NAME: &'static str = "memcached";
    const CODE: &'static str = itest::code!();
    /// The megabytes.
    type ServerSpec = u32;
    type SliceSpec = ();
    /// The server's address, and the namespace.
    type Grant = (String, String);
    type Slices = Namespaces;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<(u32, ())> {
        Ok((self.megabytes, ()))
    }

    fn recipe(megabytes: &u32) -> Recipe {
        let megabytes = *megabytes;
        let program =
            Program::new("memcached").install("install it: `apt-get install memcached`, `brew install memcached`");
        Recipe::listening(program, "memcached:1.6", 11211, move |at| {
            let words = format!(
                "--listen={} --port={} --udp-port=0 --memory-limit={megabytes}",
                at.host, at.port
            );
            words.split(' ').map(str::to_owned).collect()
        })
    }

    async fn connect(_: &u32, endpoint: &Endpoint) -> Result<Namespaces> {
        let address = endpoint.address()?;
        let mut client = Client::connect(&address, String::new())
            .await
            .context(|| "failed to connect")?;
        client.version().await.context(|| "failed to ask for the version")?;
        Ok(Namespaces(address))
    }

    fn url((address, namespace): &(String, String)) -> Result<String> {
        Ok(format!("memcache://{address}/{}", namespace.replace('#', "%23")))
    }
}

/// The supervisor's end: grants slices of the server at an address.
#[derive(Debug)]
pub(crate) struct Namespaces(String);

impl Slices<Memcached> for Namespaces {
    type Slice = ();

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), lease: &LeaseName) -> Result<(String, String)> {
        // A key has 250 bytes at most; most of them are the test's.
        Ok((self.0.clone(), lease.within(60)))
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
        let (address, namespace) = lease.grant();
        Client::connect(address, format!("{namespace}:"))
            .await
            .context(|| format!("failed to connect to memcached at {address}"))
    }
}
