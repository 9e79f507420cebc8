//! What it takes to be a service: a builder, a recipe, slices, and the values that tests receive.
//!
//! A service never names another, nor a provider. Those that come with itest are crates of their own, `itest-postgres` and
//! `itest-redis`, written against the same two traits, [`Service`] and [`Slices`], that a user's own service implements.

pub mod asked;
mod context;
pub(crate) mod driver;
mod erased;
mod lease;
mod lost;
mod offers;
mod options;
mod pool;
mod slices;
mod steps;
mod sweep;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use context::{Placement, TestContext};
pub(crate) use driver::Driver;
pub(crate) use erased::{AnySlice, ErasedSlices};
pub use lease::{Lease, LeaseName};
pub use lost::Lost;
pub use offers::{Base, Clearing, KeptTemplates, Logs, Offers, Templates};
pub use pool::{KeptTemplate, PoolSpec, Recycled, Sharing};
pub use slices::Slices;
pub use steps::{Embedded, File, Folder, Setup, Step, Steps, TemplateId};
pub use sweep::{Sweep, Sweepable, is_owner};

use crate::error::{Error, Result};
pub use crate::naming::random_hex;
pub use crate::outcome::{Outcome, Verdict};
use crate::provider::{Endpoint, Recipe};
pub use crate::spec::{Stage, Used};

/// A kind of server that a test can ask for. The implementing type is the builder that the attribute calls.
///
/// `#[integration(cache(size = 64))]` calls a function `cache()` in the test's scope, then `.size(64)` on what it returns;
/// that value must be a `Service`. It is made in the test's process. Two pieces of pure data travel from it to the supervisor,
/// [`Service::ServerSpec`] and [`Service::SliceSpec`], and one comes back, [`Service::Grant`].
///
/// `tests/memcached` in the repository is a complete one, to be copied, and `tests/keyspace` one with templates;
/// `tests/user_defined_service.rs` uses them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "the function of this name must return a service",
    note = "a service is a builder that implements `itest::service::Service`, such as what `itest::service::postgres()` returns"
)]
pub trait Service: Clone + Send + Sync + 'static {
    /// What configuration and messages call it: `postgres`, `redis`. Lower case letters and underscores.
    const NAME: &'static str;
    /// Which code this is: `itest::code!()`. Processes share a supervisor, and servers, only for services of the same code, so
    /// that no test is served by yesterday's.
    const CODE: &'static str;
    /// Whether each run gets a server of its own, for one made of things that can change unseen.
    const ONCE_PER_RUN: bool = false;
    /// Whether the supervisor itself is the server, which no provider runs.
    #[doc(hidden)]
    const IN_SUPERVISOR: bool = false;
    /// What shapes the server: tests whose values are equal share one.
    type ServerSpec: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What shapes the slice.
    type SliceSpec: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What a test needs to know to use its slice: addresses, names, passwords.
    type Grant: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// The supervisor's end: makes, grants and recycles slices of one running server.
    type Slices: Slices<Self>;

    /// Where the server is to run: [`options!`](crate::options) writes the words for it.
    fn placement(&self) -> &Placement;

    /// The parts of the builder that shape the server and the slice.
    ///
    /// # Errors
    /// When the builder says what can't be, such as a version that nobody supports, or a file that isn't there.
    fn specs(&self, test: &TestContext) -> Result<(Self::ServerSpec, Self::SliceSpec)>;

    /// How providers run the server.
    fn recipe(server: &Self::ServerSpec) -> Recipe;

    /// The URL that a person set for a server of somebody else's, with what the service's clients would take from the
    /// environment, such as a password: this is called in the test's process, whose environment the supervisor doesn't have.
    ///
    /// # Errors
    /// When that is not a URL of this service's.
    fn complete(url: &str) -> Result<String> {
        Ok(url.to_owned())
    }

    /// Connects as a client would. The supervisor calls it until it succeeds: it is the readiness probe, too.
    ///
    /// # Errors
    /// When the server can't be used (yet). One that is [`Error::permanent`] isn't tried again.
    fn connect(server: &Self::ServerSpec, endpoint: &Endpoint) -> impl Future<Output = Result<Self::Slices>> + Send;

    /// The slice's address for any other client, with user and password. By default there is none.
    ///
    /// # Errors
    /// When this grant can't be reached by a URL.
    fn url(grant: &Self::Grant) -> Result<String> {
        let _ = grant;
        Err(Error::new(format!("no URL leads to a slice of {}", Self::NAME)))
    }

    /// Fills a blank slice with the template's content, in the test's process: all of it, unless [`Templates::base_template`] says that there
    /// are a base and layers.
    ///
    /// # Errors
    /// When the content can't be made; the message says which file and which statement.
    fn build(&self, test: &TestContext, blank: &Self::Grant, stage: Stage) -> impl Future<Output = Result<()>> + Send {
        let _ = (test, blank, stage);
        async { Ok(()) }
    }

    /// Looks at the slice once more after a test that passed, before the lease ends.
    ///
    /// # Errors
    /// What only shows now, such as a deferred constraint; it fails the test.
    fn finish(lease: &Lease<Self>) -> impl Future<Output = Result<Used>> + Send {
        let _ = lease;
        async { Ok(Used::Unknown) }
    }

    /// A hint for a failure whose text reveals a limit of the slice.
    fn explain(&self, failure: &str) -> Option<String> {
        let _ = failure;
        None
    }

    /// The command that opens the slice for a person. [`URL_FILE`] in it stands for the slice's URL, which the shell reads
    /// from a file: no secret stands in a log.
    fn open_command(grant: &Self::Grant) -> Option<String> {
        let _ = grant;
        None
    }
}

/// Stands for the slice's URL in [`Service::open_command`].
pub const URL_FILE: &str = "{url}";
