//! What a provider needs in order to run a service, and what it answers.

mod compose;
mod docker;
mod native;

pub use compose::{ComposePlace, ComposeRecipe};
pub(crate) use docker::authority;
pub use docker::{ContainerLaunch, ContainerPlace, DockerRecipe};
pub use native::{DeathSignal, Launch, NativeRecipe, Place, Prepare, PrepareArgs, Program};

use crate::error::{Context, Error, Result};

/// How each provider runs a service.
#[derive(Default)]
pub struct Recipe {
    /// As a process of this machine; none if the service can't be run so.
    pub native: Option<NativeRecipe>,
    /// In a container; none if the service can't be run so.
    pub docker: Option<DockerRecipe>,
    /// As the containers of a compose file; none if the service can't be run so.
    pub compose: Option<ComposeRecipe>,
}

impl std::fmt::Debug for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipe")
            .field("native", &self.native.as_ref().map(|native| &native.program))
            .field("docker", &self.docker.as_ref().map(|docker| &docker.default_image))
            .field("compose", &self.compose.as_ref().map(|compose| &compose.file))
            .finish()
    }
}

impl Recipe {
    /// A process of this machine, and nothing else.
    pub fn native(native: NativeRecipe) -> Self {
        Self {
            native: Some(native),
            ..Self::default()
        }
    }

    /// A container, and nothing else.
    pub fn docker(docker: DockerRecipe) -> Self {
        Self {
            docker: Some(docker),
            ..Self::default()
        }
    }

    /// The containers of a compose file, and nothing else.
    pub fn compose(compose: ComposeRecipe) -> Self {
        Self {
            compose: Some(compose),
            ..Self::default()
        }
    }

    /// A container, too.
    pub fn or_docker(self, docker: DockerRecipe) -> Self {
        Self {
            docker: Some(docker),
            ..self
        }
    }
}

/// Where a running server can be reached.
#[derive(Clone)]
pub enum Endpoint {
    /// A process of this machine, which is the supervisor's own.
    Native {
        /// Where it lives.
        place: Place,
        /// Eight hexadecimal digits that name this use of the server, on every machine.
        owner: String,
        /// Whether it serves one test alone.
        dedicated: bool,
    },
    /// A container, which is the supervisor's own; perhaps on another machine.
    Docker {
        /// Where it can be reached.
        place: ContainerPlace,
        /// Eight hexadecimal digits that name this use of the server, on every machine.
        owner: String,
        /// Whether it serves one test alone.
        dedicated: bool,
    },
    /// The containers of a compose file, which are the supervisor's own.
    Compose {
        /// Where they can be reached.
        place: ComposePlace,
        /// Whether they serve one test alone.
        dedicated: bool,
    },
    /// Somebody else's server, which other machines may use, too.
    External {
        /// Its URL.
        url: String,
        /// Eight hexadecimal digits that name this use of the server, on every machine.
        owner: String,
    },
}

impl Endpoint {
    /// `host:port`, for a service that listens on [`Place::port`] of the loopback interface, or on the container's first port.
    ///
    /// # Errors
    /// When there is more than one address, or an external server's URL names no host, or no port.
    pub fn address(&self) -> Result<String> {
        match self {
            Self::Native { place, .. } => Ok(format!("127.0.0.1:{}", place.port)),
            Self::Docker { place, .. } => Ok(place.address()),
            Self::Compose { place, .. } => Err(place.no_one_server("a service with an address")),
            Self::External { url, .. } => {
                let parsed = url::Url::parse(url).context(|| "the external server's URL can't be parsed")?;
                let (host, port) = parsed
                    .host_str()
                    .zip(parsed.port_or_known_default())
                    .ok_or_else(|| Error::new(format!("{} names no host or no port", crate::spec::redacted(url))))?;
                Ok(format!("{host}:{port}"))
            }
        }
    }
}

/// Never shows a password.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native { place, .. } => f
                .debug_struct("Native")
                .field("dir", &place.dir)
                .finish_non_exhaustive(),
            Self::Docker { place, .. } => f.debug_struct("Docker").field("place", place).finish_non_exhaustive(),
            Self::Compose { place, .. } => f.debug_struct("Compose").field("place", place).finish_non_exhaustive(),
            Self::External { url, .. } => f
                .debug_struct("External")
                .field("url", &crate::spec::redacted(url))
                .finish_non_exhaustive(),
        }
    }
}
