//! The container engine: where it is, whether it answers, and where the ports of its containers can be reached.

use std::env::VarError;
use std::path::Path;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::RemoveContainerOptionsBuilder;
use testcontainers::core::client::docker_client_instance;

use crate::error::{Context, Error, Result};

/// How long an engine may take to answer a mere greeting.
const ANSWERS: Duration = Duration::from_secs(3);
/// How long an engine may take for what takes it a moment.
pub(super) const ACTS: Duration = Duration::from_secs(20);

/// An engine that answers.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(super) docker: Docker,
    pub(super) publish: Publish,
}

/// Where ports are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    /// The address that the engine binds them to.
    pub(super) bind: String,
    /// The host by which clients reach them.
    pub(super) host: String,
}

impl Engine {
    /// Greets the engine that the usual variables name, or that listens in the usual places.
    ///
    /// # Errors
    /// When there is none, or it doesn't answer in time.
    pub(crate) async fn open() -> Result<Self> {
        let named = named_engine()?;
        check_certificates()?;
        let unusable = |error: &dyn std::fmt::Display| {
            Error::new(format!("the container engine can't be used: {error}")).hint(hint(named.as_deref()))
        };
        let docker = docker_client_instance().await.map_err(|error| unusable(&error))?;
        match tokio::time::timeout(ANSWERS, docker.ping()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(unusable(&causes(&error))),
            Err(_) => {
                return Err(unusable(&format!("it doesn't answer within {ANSWERS:?}")));
            }
        }
        let publish = publish(&docker, named.as_deref()).await?;
        Ok(Self { docker, publish })
    }

    /// Whether it runs on another machine, which may serve still others.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.publish.bind.is_empty()
    }

    /// Removes a container with its anonymous volumes. That it is gone already is no error.
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
            Err(Error::new("DOCKER_HOST is no valid Unicode").hint("set it to a URL such as `tcp://host:2375`"))
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

async fn publish(docker: &Docker, named: Option<&str>) -> Result<Publish> {
    let in_container = ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|file| Path::new(file).exists());
    match place_of(named, in_container)? {
        Place::Here => Ok(Publish {
            bind: "127.0.0.1".to_owned(),
            host: "127.0.0.1".to_owned(),
        }),
        Place::Around => {
            let gateway = gateway(docker).await;
            Ok(Publish {
                bind: gateway.clone(),
                host: gateway,
            })
        }
        // The engine's loopback interface isn't ours.
        Place::There(host) => Ok(Publish {
            bind: String::new(),
            host,
        }),
    }
}

/// Where an engine runs, seen from here.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// On this machine.
    Here,
    /// On the machine in one of whose containers we are.
    Around,
    /// On another machine.
    There(String),
}

fn place_of(named: Option<&str>, in_container: bool) -> Result<Place> {
    let Some(named) = named else {
        return Ok(if in_container { Place::Around } else { Place::Here });
    };
    let bad = |why: &str| {
        Error::new(format!("DOCKER_HOST={named} makes no sense: {why}"))
            .hint("it is the engine's address, such as `unix:///var/run/docker.sock` or `tcp://host:2375`")
    };
    // Of schemes it doesn't know, the library doesn't take hosts apart.
    let known = named.replacen("tcp://", "http://", 1);
    let url = url::Url::parse(&known).map_err(|error| bad(&error.to_string()))?;
    match url.scheme() {
        "unix" if in_container => Ok(Place::Around),
        "unix" => Ok(Place::Here),
        "http" | "https" => match url.host() {
            Some(url::Host::Domain("localhost")) => Ok(Place::Here),
            Some(url::Host::Ipv4(address)) if address.is_loopback() => Ok(Place::Here),
            Some(url::Host::Ipv6(address)) if address.is_loopback() => Ok(Place::Here),
            Some(url::Host::Ipv6(address)) => Ok(Place::There(address.to_string())),
            Some(host) => Ok(Place::There(host.to_string())),
            None => Err(bad("it names no host")),
        },
        other => Err(bad(&format!("`{other}` is no way to an engine"))),
    }
}

/// The address by which a container reaches the machine it runs on.
async fn gateway(docker: &Docker) -> String {
    let network = docker
        .inspect_network(
            "bridge",
            None::<testcontainers::bollard::query_parameters::InspectNetworkOptions>,
        )
        .await;
    network
        .ok()
        .and_then(|network| network.ipam?.config)
        .unwrap_or_default()
        .into_iter()
        .find_map(|config| config.gateway.filter(|gateway| !gateway.is_empty()))
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_reached_where_the_engine_is() {
        for (named, in_container, expected) in [
            (None, false, Place::Here),
            (None, true, Place::Around),
            (Some("unix:///run/docker.sock"), true, Place::Around),
            (Some("tcp://localhost:2375"), false, Place::Here),
            (Some("tcp://127.0.0.1:2375"), true, Place::Here),
            (
                Some("tcp://build.example.com:2376"),
                false,
                Place::There("build.example.com".to_owned()),
            ),
        ] {
            assert_eq!(place_of(named, in_container).expect("sound"), expected, "{named:?}");
        }
    }

    #[test]
    fn an_address_that_makes_no_sense_is_named() {
        for named in ["ftp://host", "docker", "tcp://"] {
            let error = place_of(Some(named), false).expect_err("no sense").render();
            assert!(error.contains(named), "{error}");
        }
    }
}
