//! NATS 2.9 and later: one server, with an account and JetStream for each test.

mod external;
mod inject;
mod jwt;
mod key;
mod recipe;
mod slices;
mod system;

use std::path::PathBuf;

use itest_runtime::provider::{Endpoint, Recipe};
use itest_runtime::service::asked::{check_settings, check_version};
use itest_runtime::service::{Placement, Service, TestContext};
use itest_runtime::{Error, Result};
use serde::{Deserialize, Serialize};

pub use inject::{Credentials, Operator};
pub use slices::{NatsSlice, NatsSlices};

/// Which code this is: a supervisor serves no test of another.
const CODE: &str = itest_macros::code!();

/// A NATS account: `#[integration(nats)]`.
///
/// Gives tests `async_nats::Client`, `async_nats::jetstream::Context`, [`Credentials`] for other processes, and
/// [`Url<Nats>`](itest_runtime::Url).
///
/// The server is shared, and runs in operator mode. Subjects, streams, consumers, key-value buckets and object stores are
/// the test's own, under the names that the application gives them: accounts don't see each other. When the lease
/// ends, its clients are disconnected, and nobody gets in with its credentials any more. The next test has a new account.
///
/// The URL names the server, and no user: a client needs the credentials as well.
pub fn nats() -> Nats {
    Nats {
        placement: Placement::default(),
        version: None,
        settings: Vec::new(),
        image: None,
    }
}

/// What a test asks of NATS. In the attribute, `key = value` is `.key(value)`, and a bare word is `.word()`.
///
/// ```
/// use itest_nats::nats;
///
/// // #[integration(nats(version = "2.10", settings("max_payload: 8MB")))]
/// let asked = nats().version("2.10").settings(["max_payload: 8MB"]);
/// ```
#[derive(Debug, Clone)]
pub struct Nats {
    placement: Placement,
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
}

impl Nats {
    /// The server's version: `"2"`, or `"2.10"`. Without it, the first in `PATH`, else the newest in the usual places. An
    /// external server of another version is an error.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Server settings such as `"max_payload: 8MB"`, as lines of the server's configuration file. Tests with other settings
    /// get another server. With an external server they are an error: its settings aren't ours to change.
    pub fn settings<S: Into<String>>(mut self, settings: impl IntoIterator<Item = S>) -> Self {
        self.settings.extend(settings.into_iter().map(Into::into));
        self
    }

    /// The image of its container, whose program must take the server's arguments as the official image's does. Other providers
    /// ignore it.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// A server of the test's own, of which it has the operator's key, too: [`Operator`].
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }
}

itest_runtime::options!(Nats {
    docker,
    native,
    external
});

/// What shapes the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NatsServer {
    version: Option<String>,
    settings: Vec<String>,
    image: Option<String>,
}

impl NatsServer {
    /// Whether somebody else's server may be what the test asks for.
    fn check_external(&self) -> Result<()> {
        let Some(setting) = self.settings.first() else {
            return Ok(());
        };
        Err(Error::new(format!(
            "the test asks for the server setting `{setting}`, and an external server's settings are not ours to change"
        ))
        .hint("set it on that server and take it out of the test, or write `nats(native, …)`")
        .permanent())
    }
}

/// What a test needs to know to use its account.
#[derive(Clone, Serialize, Deserialize)]
pub struct NatsGrant {
    /// `nats://host:port`.
    pub(crate) server: String,
    /// The name of the test's connections.
    pub(crate) name: String,
    /// The account's public key.
    pub(crate) account: String,
    /// The user's token, and the seed of its key.
    pub(crate) token: String,
    pub(crate) seed: String,
    /// A file with both, for other processes.
    pub(crate) credentials: PathBuf,
    /// On a server of the test's own: files with the operator's seed, and with credentials of the system account.
    pub(crate) operator: Option<(PathBuf, PathBuf)>,
}

/// Never shows the key.
impl std::fmt::Debug for NatsGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsGrant")
            .field("server", &self.server)
            .field("name", &self.name)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for Nats {
    const NAME: &'static str = "nats";
    const CODE: &'static str = CODE;
    type ServerSpec = NatsServer;
    type SliceSpec = ();
    type Grant = NatsGrant;
    type Slices = NatsSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<(NatsServer, ())> {
        check_settings(Self::NAME, &self.settings, recipe::OWN)?;
        check_version("NATS", self.version.as_deref(), recipe::FIRST)?;
        let server = NatsServer {
            version: self.version.clone(),
            settings: self.settings.clone(),
            image: self.image.clone(),
        };
        Ok((server, ()))
    }

    fn recipe(server: &NatsServer) -> Recipe {
        Recipe::native(recipe::native(server)).or_docker(recipe::docker(server))
    }

    fn complete(url: &str) -> Result<String> {
        external::check(url).map(|()| url.to_owned())
    }

    async fn connect(server: &NatsServer, endpoint: &Endpoint) -> Result<NatsSlices> {
        NatsSlices::connect(server, endpoint).await
    }

    fn url(grant: &NatsGrant) -> Result<String> {
        Ok(grant.server.clone())
    }

    fn explain(&self, failure: &str) -> Option<String> {
        let is_full = ["insufficient storage resources", "resource limits exceeded for account"]
            .iter()
            .any(|text| failure.contains(text));
        is_full.then(|| {
            format!(
                "a test's account has {} MiB in memory and {} MiB in files for its streams; for a server of the test's own, without \
                 that limit, write `nats(dedicated)`",
                slices::MEMORY >> 20,
                slices::DISK >> 20
            )
        })
    }

    fn open_command(grant: &NatsGrant) -> Option<String> {
        Some(format!(
            "nats --server {} --creds '{}' stream ls",
            grant.server,
            grant.credentials.display()
        ))
    }
}
