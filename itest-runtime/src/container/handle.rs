//! What a test receives of a container.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::Container;
use crate::error::{Error, Result};
use crate::inject::Inject;
use crate::provider::{ContainerPlace, Control, ExecOutput, authority};
use crate::service::Lease;

/// A running container: where it is, and what it can be made to do.
///
/// A test may always look at it and run commands in it. Stopping it would take it from every other test, so only a
/// `dedicated` one can be stopped, paused or killed.
///
/// ```no_run
/// # async fn body(mail: &itest::ContainerHandle) -> Result<(), itest::Error> {
/// let smtp = mail.address(1025)?; // such as `127.0.0.1:49153`
/// let listing = mail.exec(["ls", "/"]).await?;
/// assert!(listing.is_success(), "{}", listing.stderr());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ContainerHandle(Arc<Inner>);

struct Inner {
    place: ContainerPlace,
    dedicated: bool,
    namespace: String,
    /// The host's ports change when it is started again.
    ports: Mutex<BTreeMap<u16, u16>>,
    control: OnceCell<Control>,
}

impl ContainerHandle {
    pub(crate) fn new(place: ContainerPlace, dedicated: bool, namespace: String) -> Self {
        Self(Arc::new(Inner {
            ports: Mutex::new(place.ports.clone()),
            place,
            dedicated,
            namespace,
            control: OnceCell::new(),
        }))
    }

    /// The host on which its ports are published: `127.0.0.1`, or the machine that the engine runs on.
    pub fn host(&self) -> &str {
        &self.0.place.host
    }

    /// The host's port that leads to this one of the container's.
    ///
    /// # Errors
    /// When the container's builder doesn't publish it.
    pub fn port(&self, port: u16) -> Result<u16> {
        let ports = self.0.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get(&port).copied().ok_or_else(|| self.0.place.unpublished(port))
    }

    /// `host:port`, by which this one of the container's ports is reached.
    ///
    /// # Errors
    /// When the container's builder doesn't publish it.
    pub fn address(&self, port: u16) -> Result<String> {
        Ok(authority(self.host(), self.port(port)?))
    }

    /// A name that no other test has, for what this one makes in it: a prefix for topics, queues, buckets, indices. Lower-case
    /// letters, digits and hyphens, such as `itest-410c3068-38`.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The engine's name of the container, for its own commands: `docker logs ID`.
    pub fn id(&self) -> &str {
        &self.0.place.id
    }

    /// Runs a command in it and waits for its end. A command that fails is not an error: see [`ExecOutput::exit_code`].
    ///
    /// # Errors
    /// When the engine can't run it: the container doesn't run, perhaps.
    pub async fn exec<S: Into<String>>(&self, command: impl IntoIterator<Item = S>) -> Result<ExecOutput> {
        self.control()
            .await?
            .exec(command.into_iter().map(Into::into).collect())
            .await
    }

    /// All that it has written to its standard output and error so far.
    ///
    /// # Errors
    /// When the engine doesn't answer.
    pub async fn logs(&self) -> Result<String> {
        self.control().await?.logs().await
    }

    /// Stops it, as `docker stop` does; after 10 s it is killed. Its files stay.
    ///
    /// # Errors
    /// When it isn't `dedicated`, or the engine refuses.
    pub async fn stop(&self) -> Result<()> {
        self.own("stop").await?.stop(10).await
    }

    /// Sends it a signal such as `"SIGKILL"`.
    ///
    /// # Errors
    /// When it isn't `dedicated`, or doesn't run.
    pub async fn kill(&self, signal: &str) -> Result<()> {
        self.own("kill").await?.kill(signal).await
    }

    /// Starts it again after [`ContainerHandle::stop`]. From then on its ports are others: ask for them again. Whether it is
    /// ready is for the test to see.
    ///
    /// # Errors
    /// When it isn't `dedicated`, or ends at once.
    pub async fn start(&self) -> Result<()> {
        let control = self.own("start").await?;
        control.start().await?;
        let known: Vec<u16> = self.0.place.ports.keys().copied().collect();
        let now = control.ports(&known).await?;
        *self.0.ports.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// Freezes all its processes: connections stay open, and nobody answers.
    ///
    /// # Errors
    /// When it isn't `dedicated`, or doesn't run.
    pub async fn pause(&self) -> Result<()> {
        self.own("pause").await?.pause().await
    }

    /// Lets it go on after [`ContainerHandle::pause`].
    ///
    /// # Errors
    /// When it isn't `dedicated`, or wasn't paused.
    pub async fn unpause(&self) -> Result<()> {
        self.own("unpause").await?.unpause().await
    }

    async fn control(&self) -> Result<&Control> {
        self.0.control.get_or_try_init(|| Control::of(&self.0.place)).await
    }

    async fn own(&self, what: &str) -> Result<&Control> {
        if !self.0.dedicated {
            return Err(Error::new(format!(
                "`{what}` would take the container of {} from all other tests",
                self.0.place.image
            ))
            .hint("give this test a container of its own: add `dedicated`, as in `#[integration(mail(dedicated))]`"));
        }
        self.control().await
    }
}

impl fmt::Debug for ContainerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContainerHandle").field(&self.0.place).finish()
    }
}

impl Inject for ContainerHandle {
    type Service = Container;

    async fn inject(lease: &Lease<Container>) -> Result<Self> {
        let grant = lease.grant();
        Ok(Self::new(grant.place.clone(), grant.dedicated, grant.namespace.clone()))
    }
}
