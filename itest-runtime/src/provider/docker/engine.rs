//! The container engine: which one, whether it answers, and how long it may take for what.

use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::RemoveContainerOptionsBuilder;
use testcontainers::bollard::{API_DEFAULT_VERSION, Docker};
use testcontainers::core::client::docker_client_instance;

use super::reach::Publish;
use super::remote::Remote;
use super::tunnel::Tunnel;
use crate::error::{Context, Error, Result};
use crate::os::ProcessId;

/// How long an engine may take to answer a mere greeting.
const ANSWERS: Duration = Duration::from_secs(3);
/// How long an engine may take for what takes it a moment.
pub(super) const ACTS: Duration = Duration::from_secs(20);

/// How long any other call may take before the library gives it up, in seconds.
const PATIENCE: u64 = 120;

/// An engine that answers.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(super) docker: Docker,
    pub(super) publish: Publish,
    /// What leads to it, if it is reached by ssh.
    tunnel: Option<Arc<Tunnel>>,
}

impl Engine {
    /// Greets the engine that the usual variables name, or that listens in the usual places.
    ///
    /// # Errors
    /// When there is none, or it doesn't answer in time.
    pub(crate) async fn open() -> Result<Self> {
        let named = named_engine()?;
        if let Some(remote) = Remote::told()? {
            let folder = named
                .as_deref()
                .and_then(|named| Path::new(named.strip_prefix("unix://")?).parent());
            let folder = folder.ok_or_else(|| Error::new("DOCKER_HOST doesn't name the tunnel's end"))?;
            return Self::through(&remote, folder.to_owned()).await;
        }
        if let Some(remote) = named.as_deref().map(Remote::parse).transpose()?.flatten() {
            return Err(Error::new(format!(
                "the engine at {} can't be used by a supervisor within the test's own process",
                remote.address
            ))
            .hint(
                "use a test harness that supports `--exact`, as Rust's own does, or an engine that is reached by `unix://` or \
                 `tcp://`",
            ));
        }
        check_certificates()?;
        let hint = || hint(named.as_deref());
        let docker = docker_client_instance()
            .await
            .map_err(|error| unusable(&error, hint()))?;
        greet(&docker, hint).await?;
        let publish = Publish::find(&docker, named.as_deref()).await?;
        Ok(Self {
            docker,
            publish,
            tunnel: None,
        })
    }

    /// Greets the engine that the supervisor has to do with, from a process that isn't the supervisor's: by a tunnel of its
    /// own in `folder`, if it takes one.
    pub(crate) async fn open_apart(folder: impl FnOnce() -> Result<PathBuf>) -> Result<Self> {
        match Remote::told()? {
            Some(remote) => Self::through(&remote, folder()?).await,
            None => Self::open().await,
        }
    }

    async fn through(remote: &Remote, folder: PathBuf) -> Result<Self> {
        let tunnel = Tunnel::open(remote, folder).await?;
        let engine = Self::behind(tunnel)?;
        let Remote { address, socket, .. } = remote;
        greet(&engine.docker, || {
            format!("does an engine listen at {socket} there? DOCKER_HOST={address} may name another path; and may the user use it?")
        })
        .await?;
        Ok(engine)
    }

    /// The engine of a container's, by the supervisor's tunnel if there is one.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub(super) async fn of(tunnel: Option<&Path>) -> Result<Self> {
        match tunnel {
            Some(folder) => Self::behind(Tunnel::of(folder)),
            None => Self::open().await,
        }
    }

    fn behind(tunnel: Tunnel) -> Result<Self> {
        let socket = tunnel.engine_socket();
        let docker = Docker::connect_with_unix(&socket.to_string_lossy(), PATIENCE, API_DEFAULT_VERSION)
            .context(|| format!("failed to use the engine behind {}", socket.display()))?;
        Ok(Self {
            docker,
            publish: Publish::on_loopback(),
            tunnel: Some(Arc::new(tunnel)),
        })
    }

    /// Whether it can still be reached, as far as this is known without asking it.
    pub(super) fn is_reachable(&self) -> bool {
        self.tunnel.as_ref().is_none_or(|tunnel| tunnel.is_open())
    }

    /// The folder of the tunnel that leads to it.
    pub(super) fn tunnel(&self) -> Option<PathBuf> {
        Some(self.tunnel.as_ref()?.folder().to_owned())
    }

    /// The process that leads to it.
    pub(super) fn process(&self) -> Option<ProcessId> {
        self.tunnel.as_ref()?.process()
    }

    /// The port of [`Publish::host`] by which one that the engine has published is reached.
    pub(super) async fn reach(&self, published: u16) -> Result<u16> {
        match &self.tunnel {
            Some(tunnel) => tunnel.reach(published).await,
            None => Ok(published),
        }
    }

    /// Nobody needs these ports any more, which were reached. It is said before the engine can give them to another container.
    pub(super) async fn release(&self, reached: impl IntoIterator<Item = u16>) {
        if let Some(tunnel) = &self.tunnel {
            for port in reached {
                tunnel.release(port).await;
            }
        }
    }

    /// Whether it runs on another machine, which may serve still others.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.publish.bind.is_empty() || self.tunnel.is_some()
    }

    /// Removes a container with its anonymous volumes. One that is gone already is not an error.
    pub(super) async fn remove(&self, container: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removal = self.docker.remove_container(container, Some(options));
        let outcome = within(removal).await;
        match outcome {
            Err(error) if is_gone_or_going(&error) => Ok(()),
            other => other.context(|| format!("failed to remove the container {container}")),
        }
    }
}

/// Has the engine say that it is there.
async fn greet(docker: &Docker, hint: impl Fn() -> String) -> Result<()> {
    match tokio::time::timeout(ANSWERS, docker.ping()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unusable(&causes(&error), hint())),
        Err(_) => Err(unusable(&format!("it doesn't answer within {ANSWERS:?}"), hint())),
    }
}

fn unusable(why: &dyn std::fmt::Display, hint: String) -> Error {
    Error::new(format!("the container engine can't be used: {why}")).hint(hint)
}

/// Bounds a call: an engine that hangs must not hang anybody else.
pub(super) async fn within<T>(call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    tokio::time::timeout(ACTS, call)
        .await
        .unwrap_or(Err(EngineError::RequestTimeoutError))
}

pub(super) fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 404, .. })
}

/// Gone, or somebody else is just removing it.
fn is_gone_or_going(error: &EngineError) -> bool {
    is_missing(error)
        || matches!(error, EngineError::DockerResponseServerError { status_code: 409, message }
            if message.contains("already in progress"))
}

/// Everything that an error says, once.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// What `DOCKER_HOST` says.
fn named_engine() -> Result<Option<String>> {
    match std::env::var("DOCKER_HOST") {
        Ok(host) if host.trim().is_empty() => Ok(None),
        Ok(host) => Ok(Some(host)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Error::new("DOCKER_HOST is not valid Unicode").hint("set it to a URL such as `tcp://host:2375`"))
        }
    }
}

/// The library would panic.
fn check_certificates() -> Result<()> {
    let wants_tls = std::env::var_os("DOCKER_TLS_VERIFY").is_some_and(|value| value == "1");
    if wants_tls && std::env::var_os("DOCKER_CERT_PATH").is_none() {
        return Err(Error::new("DOCKER_TLS_VERIFY is set, but DOCKER_CERT_PATH isn't")
            .hint("set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem, or unset DOCKER_TLS_VERIFY"));
    }
    Ok(())
}

fn hint(named: Option<&str>) -> String {
    match named {
        Some(named) => format!("is DOCKER_HOST={named} right, and does an engine listen there?"),
        None => {
            "start Docker (or Podman's Docker-compatible service), see that your user may use its socket (`docker ps` \
                 tells), or set DOCKER_HOST to the engine's address, as `docker context inspect` shows it"
                .to_owned()
        }
    }
}
