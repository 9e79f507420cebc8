//! What it takes to run a service in a container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How to run a service in a container.
#[non_exhaustive]
pub struct DockerRecipe {
    /// The image that the test asks for, such as `postgis/postgis:17-3.5`; a person's setting gives way to it.
    pub image: Option<String>,
    /// The image where neither the test nor a setting names one.
    pub default_image: String,
    /// The ports that are published, as the container knows them; the first is the service's own.
    pub ports: Vec<u16>,
    /// Arguments, files and the like, given what is known of it before it starts.
    pub launch: Box<dyn Fn(&ContainerStart) -> ContainerLaunch + Send + Sync>,
    /// Whether the server has to tell its clients where it is, and so must be told: its ports on the host are then chosen before
    /// it starts.
    pub advertises: bool,
    /// Whether a test that has it to itself may stop the container and start it again: that it ended is then no failure.
    pub may_pause: bool,
}

/// What is known of a container before it starts.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerStart {
    /// A random password, for a server that takes one.
    pub password: String,
    /// The host on which its ports will be published.
    pub host: String,
    /// The host's port for each of the container's, if the recipe [`advertises`](DockerRecipe::advertises); else the engine
    /// chooses them when it starts the container.
    pub ports: BTreeMap<u16, u16>,
}

impl ContainerStart {
    /// `host:port` by which clients will reach this one of the container's ports; none if the recipe doesn't advertise, or
    /// doesn't publish it.
    pub fn address_of(&self, port: u16) -> Option<String> {
        Some(authority(&self.host, *self.ports.get(&port)?))
    }
}

/// Never shows the password.
impl fmt::Debug for ContainerStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerStart")
            .field("host", &self.host)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

/// How to start a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContainerLaunch {
    /// What the image runs instead of its own entry point.
    pub entrypoint: Option<String>,
    /// The arguments, instead of the image's own; its own if there are none.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Files to put into the container before it starts: absolute paths, and contents. Every user in it can read them.
    pub files: Vec<(String, String)>,
    /// Folders that are kept in memory, besides the image's volumes.
    pub tmpfs: Vec<String>,
    /// The user that the container's process runs as, if not the image's own.
    pub user: Option<String>,
    /// Whether the container gets all rights of the machine.
    pub privileged: bool,
    /// The size of the container's `/dev/shm`, in bytes.
    pub shm_size: Option<u64>,
}

impl ContainerLaunch {
    /// With these arguments, instead of the image's own.
    pub fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// With these environment variables.
    pub fn env(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(variables);
        self
    }

    /// With this file, which every user in the container can read: its absolute path, and what is in it.
    pub fn file(mut self, path: impl Into<String>, contents: impl Into<String>) -> Self {
        self.files.push((path.into(), contents.into()));
        self
    }

    /// With this program instead of the image's own entry point.
    pub fn entrypoint(mut self, program: impl Into<String>) -> Self {
        self.entrypoint = Some(program.into());
        self
    }

    /// With these folders in memory, besides the image's volumes.
    pub fn tmpfs<S: Into<String>>(mut self, folders: impl IntoIterator<Item = S>) -> Self {
        self.tmpfs.extend(folders.into_iter().map(Into::into));
        self
    }

    /// With a `/dev/shm` of so many bytes.
    pub fn shm_size(mut self, bytes: u64) -> Self {
        self.shm_size = Some(bytes);
        self
    }
}

/// Where a container can be reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContainerPlace {
    /// The engine's name of the container.
    pub id: String,
    /// The image that it was made of.
    pub image: String,
    /// The host on which its ports are published.
    pub host: String,
    /// The published ports: as the container knows them, and as the host does.
    pub ports: BTreeMap<u16, u16>,
    /// The host's port of the service itself.
    pub port: u16,
    /// The server's password.
    pub password: String,
    /// The folder of the tunnel by which the engine is reached, if it takes one.
    pub(crate) tunnel: Option<PathBuf>,
}

impl ContainerPlace {
    /// `host:port` of the service itself.
    pub fn address(&self) -> String {
        authority(&self.host, self.port)
    }

    /// `host:port` of one of the container's ports.
    ///
    /// # Errors
    /// When it isn't published.
    pub fn address_of(&self, port: u16) -> Result<String> {
        let port = self.ports.get(&port).ok_or_else(|| self.unpublished(port))?;
        Ok(authority(&self.host, *port))
    }

    pub(crate) fn unpublished(&self, port: u16) -> Error {
        let known: Vec<_> = self.ports.keys().map(u16::to_string).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        Error::new(format!(
            "the container of {} doesn't publish its port {port}",
            self.image
        ))
        .hint(format!(
            "publish it where the container is described; published so far: {known}"
        ))
        .permanent()
    }

    /// What the engine's own commands show of [`ContainerPlace::id`].
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Never shows the password.
impl fmt::Debug for ContainerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerPlace")
            .field("id", &self.id)
            .field("image", &self.image)
            .field("host", &self.host)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DockerRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerRecipe")
            .field("image", self.image.as_ref().unwrap_or(&self.default_image))
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl DockerRecipe {
    /// A container of this image, which publishes one port and needs nothing else.
    pub fn new(image: impl Into<String>, port: u16) -> Self {
        Self {
            image: None,
            default_image: image.into(),
            ports: vec![port],
            launch: Box::new(|_| ContainerLaunch::default()),
            advertises: false,
            may_pause: false,
        }
    }

    /// The image that the test asks for, if it does.
    pub fn image(mut self, image: Option<String>) -> Self {
        self.image = image;
        self
    }

    /// Publishes these ports, too.
    pub fn more_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.extend(ports);
        self
    }

    /// Has its ports on the host chosen before it starts, for a server that tells its clients where it is, as Kafka does:
    /// [`ContainerStart::address_of`] then knows.
    ///
    /// ```
    /// use itest::provider::{ContainerLaunch, DockerRecipe};
    ///
    /// let recipe = DockerRecipe::new("apache/kafka:4.1.0", 9092).advertises().launch(|start| {
    ///     let outside = start.address_of(9092).unwrap_or_default();
    ///     ContainerLaunch::default().env([("KAFKA_ADVERTISED_LISTENERS".to_owned(), format!("PLAINTEXT://{outside}"))])
    /// });
    /// ```
    pub fn advertises(mut self) -> Self {
        self.advertises = true;
        self
    }

    /// How it is started, given what is known of it before.
    pub fn launch(mut self, launch: impl Fn(&ContainerStart) -> ContainerLaunch + Send + Sync + 'static) -> Self {
        self.launch = Box::new(launch);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_gets_brackets() {
        assert_eq!(authority("localhost", 80), "localhost:80");
        assert_eq!(authority("::1", 80), "[::1]:80");
    }
}
