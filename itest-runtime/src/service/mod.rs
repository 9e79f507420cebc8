//! What it takes to be a service: a builder, a recipe, slices, and the values that tests receive.
//!
//! A service never names another, nor a provider. Those that come with itest are crates of their own, `itest-postgres` and
//! `itest-redis`, written against the same two traits, [`Service`] and [`Slices`], that a user's own service implements. Only
//! any image and any compose file are here.

pub mod asked;
pub(crate) mod driver;
mod erased;
mod lease;
mod lost;
mod options;

pub(crate) use driver::Driver;
pub(crate) use erased::{AnySlice, ErasedSlices};
pub use lease::Lease;
pub use lost::Lost;

use std::future::Future;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Result};
pub use crate::naming::random_hex;
pub use crate::outcome::{Outcome, Verdict};
use crate::provider::{Endpoint, Recipe};
pub use crate::spec::Used;
use crate::spec::{Fingerprint, Provider};

/// A kind of server that a test can ask for. The implementing type is the builder that the attribute calls.
///
/// `#[integration(cache(size = 64))]` calls a function `cache()` in the test's scope, then `.size(64)` on what it returns;
/// that value must be a `Service`. It is made in the test's process. Two pieces of pure data travel from it to the supervisor,
/// [`Service::ServerSpec`] and [`Service::SliceSpec`], and one comes back, [`Service::Grant`].
///
/// `tests/memcached` in the repository is a complete one, to be copied; `tests/user_defined_service.rs` uses it.
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

    /// Fills a blank slice with the template's content, in the test's process.
    ///
    /// # Errors
    /// When the content can't be made; the message says which file and which statement.
    fn build(&self, test: &TestContext, blank: &Self::Grant) -> impl Future<Output = Result<()>> + Send {
        let _ = (test, blank);
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

/// The supervisor's end of a service, on one running server.
///
/// Slices live in pools: those of one pool can stand in for each other. The supervisor never runs two of these calls on
/// the same slice at once.
pub trait Slices<S: Service>: Send + Sync + 'static {
    /// What the supervisor remembers of one slice.
    type Slice: Send + Sync + 'static;

    /// Which pool the slices of `spec` live in: by default equal specs share one, and each slice serves one lease at a time.
    ///
    /// # Errors
    /// When this server can't give such a slice, for lack of a right perhaps.
    fn pool(&self, spec: &S::SliceSpec) -> Result<PoolSpec> {
        let name = serde_json::to_string(spec).context(|| "a spec has no JSON form")?;
        Ok(PoolSpec::exclusive(name))
    }

    /// How many slices this server can have at once, if there is a limit that tests may reach. A test gets all that it asks for
    /// together; until they are free, it waits, and is told for whom.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Makes a slice.
    ///
    /// # Errors
    /// When the server refuses.
    fn make(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<Self::Slice>> + Send;

    /// Opens the slice to one lease, and to no other.
    ///
    /// # Errors
    /// When the server refuses; the slice is then destroyed and another one granted.
    fn grant(
        &self,
        slice: &mut Self::Slice,
        spec: &S::SliceSpec,
        lease: &LeaseName,
    ) -> impl Future<Output = Result<S::Grant>> + Send;

    /// Cuts the last lease's clients off and brings the slice back to its template's exact content. When in doubt, answer
    /// [`Recycled::Gone`], as this does by default: the slice is then destroyed, and another one made.
    ///
    /// # Errors
    /// When that can't be done; the slice is then destroyed.
    fn recycle(&self, slice: &mut Self::Slice, used: Used) -> impl Future<Output = Result<Recycled>> + Send {
        let _ = (slice, used);
        async { Ok(Recycled::Gone) }
    }

    /// Removes the slice from the server. By default there is nothing to remove.
    fn destroy(&self, slice: Self::Slice) -> impl Future<Output = ()> + Send {
        drop(slice);
        async {}
    }

    /// Makes a blank slice for a template to be built in.
    ///
    /// # Errors
    /// When the server refuses.
    fn begin_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<S::Grant>> + Send {
        let _ = spec;
        async { Err(Error::new("this service has no templates")) }
    }

    /// Closes a built template: from now on slices are made of it.
    ///
    /// # Errors
    /// When that can't be done.
    fn seal_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<()>> + Send {
        let _ = spec;
        async { Ok(()) }
    }

    /// Removes a template that wasn't finished.
    fn abandon_template(&self, spec: &S::SliceSpec) -> impl Future<Output = ()> + Send {
        let _ = spec;
        async {}
    }

    /// Removes a finished template that no slice is made of any more.
    fn drop_template(&self, template: &Fingerprint) -> impl Future<Output = ()> + Send {
        let _ = template;
        async {}
    }

    /// The templates that were there already when the server started, as an earlier supervisor left them. By default none
    /// ever are.
    fn kept_templates(&self) -> Vec<KeptTemplate> {
        Vec::new()
    }

    /// Removes all but the finished templates, as the server's data is about to be kept for the next supervisor: there they
    /// are in [`Slices::kept_templates`]. Nothing else will be asked of this server. False, as by default, if there is
    /// nothing new to be kept, or anything else might stay.
    fn leave_templates(&self) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// Whether a line of the server's log is about this lease.
    fn owns_line(&self, grant: &S::Grant, line: &str) -> bool {
        let _ = (grant, line);
        false
    }

    /// What clients of this lease have the server do at this moment, for a person: what a test that takes too long waits for. By
    /// default nobody knows.
    fn busy_with(&self, grant: &S::Grant) -> impl Future<Output = Vec<String>> + Send {
        let _ = grant;
        async { Vec::new() }
    }

    /// Has the server write `mark` to its log. Logs of containers come late; once the mark is there, all before it is. By
    /// default the server can't be made to.
    fn mark_log(&self, mark: &str) -> impl Future<Output = bool> + Send {
        let _ = mark;
        async { false }
    }

    /// Returns when the server runs and yet can't be trusted or used any more, and says why: nothing on it is used again,
    /// and the next test gets another server. By default it never returns.
    fn lost(&self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }

    /// Removes all that was made, from a server that outlives the supervisor.
    fn clear(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Where the slices of a spec live.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSpec {
    /// The pool's name.
    pub name: String,
    /// The template that must be there first.
    pub template: Option<Fingerprint>,
    /// What the template is made of, by name and not by content: once one is made of the same that says something else now,
    /// the older one goes.
    pub source: Option<Fingerprint>,
    /// Whether a slice serves one lease at a time.
    pub sharing: Sharing,
}

impl PoolSpec {
    /// Slices that need no template, and serve one lease at a time.
    pub fn exclusive(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            template: None,
            source: None,
            sharing: Sharing::Exclusive,
        }
    }

    /// Slices that start from this template, made of that source.
    pub fn template(mut self, template: Option<Fingerprint>, source: Option<Fingerprint>) -> Self {
        self.template = template;
        self.source = source;
        self
    }

    /// One slice for everyone, at the same time.
    pub fn shared(mut self) -> Self {
        self.sharing = Sharing::Everyone;
        self
    }
}

/// A template that an earlier supervisor left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptTemplate {
    /// As in [`PoolSpec::template`].
    pub template: Fingerprint,
    /// As in [`PoolSpec::source`].
    pub source: Option<Fingerprint>,
    /// When it was built.
    pub built: SystemTime,
}

impl KeptTemplate {
    /// A template that was built at that time.
    pub fn new(template: Fingerprint, source: Option<Fingerprint>, built: SystemTime) -> Self {
        Self {
            template,
            source,
            built,
        }
    }
}

/// How many leases a slice serves at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One: the usual case.
    Exclusive,
    /// Any number: there is one slice, which is never recycled.
    Everyone,
}

/// What recycling led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recycled {
    /// The slice is as good as new.
    Ready,
    /// The slice can't be brought back: destroy it.
    Gone,
}

/// Who holds a lease, for names on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseName {
    /// The test.
    pub test: String,
    /// A few characters that no other lease on this server has.
    pub unique: String,
}

impl LeaseName {
    /// What the supervisor makes; by hand for trying a service's slices without one.
    pub fn new(test: impl Into<String>, unique: impl Into<String>) -> Self {
        Self {
            test: test.into(),
            unique: unique.into(),
        }
    }

    /// A name for what this lease makes where names are all that keeps tests apart: a prefix for topics, queues, buckets, indices.
    /// No other lease has it, on any machine. Lower-case letters, digits and hyphens, about 20 of them.
    ///
    /// ```
    /// # use itest::service::LeaseName;
    /// let lease = LeaseName::new("orders::are_sent", "410c3068-38");
    /// assert_eq!(lease.namespace(), "itest-410c3068-38");
    /// ```
    pub fn namespace(&self) -> String {
        format!("itest-{}", self.unique)
    }

    /// One name of both, at most `limit` bytes, of letters, digits and `_:#-`.
    pub fn within(&self, limit: usize) -> String {
        crate::naming::lease_name(&self.test, &self.unique, limit)
    }
}

/// Stands for the slice's URL in [`Service::open_command`].
pub const URL_FILE: &str = "{url}";

/// Where a test's server is to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Placement {
    /// The provider that the test itself asks for.
    pub provider: Option<Provider>,
    /// Whether the test wants a server of its own.
    pub dedicated: bool,
}

/// Where a test stands: what relative paths are relative to, and what its code is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TestContext {
    /// The test's full name.
    pub test: String,
    /// The folder of the test's package.
    pub package_dir: PathBuf,
    /// The test's source file.
    pub source_file: PathBuf,
    /// A fingerprint of the test binary: what user code in a template is known by.
    pub binary: Fingerprint,
}

impl TestContext {
    /// What the runtime makes of each test; by hand for trying a service without one.
    pub fn new(
        test: impl Into<String>,
        package_dir: impl Into<PathBuf>,
        source_file: impl Into<PathBuf>,
        binary: Fingerprint,
    ) -> Self {
        Self {
            test: test.into(),
            package_dir: package_dir.into(),
            source_file: source_file.into(),
            binary,
        }
    }
}
