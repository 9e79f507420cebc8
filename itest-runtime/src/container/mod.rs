//! Any server that comes as a container image, without a Rust type of its own.
//!
//! A shared container has no slices: what one test does in it, others may see. A test that minds gets one of its own, with
//! `dedicated`.

mod handle;
mod slices;
pub mod wait;

pub use handle::ContainerHandle;
pub use slices::{ContainerGrant, ContainerSlices};

use serde::{Deserialize, Serialize};

use self::wait::Wait;
use crate::error::{Error, Result};
use crate::provider::{ContainerLaunch, DockerRecipe, Endpoint, Recipe};
use crate::service::{Placement, Service, TestContext};
use crate::spec::Provider;

/// A container of this image and tag, shared by all tests that say the same of it.
///
/// ```
/// use itest::service::container;
/// use itest::service::container::{Container, wait::http};
///
/// /// `#[integration(mail)]`
/// fn mail() -> Container {
///     container("mailhog/mailhog", "v1.0.1").ports([1025, 8025]).wait(http(8025, "/"))
/// }
/// ```
pub fn container(image: impl Into<String>, tag: impl Into<String>) -> Container {
    Container {
        // It is nothing else, whatever a setting says of other services.
        placement: Placement {
            provider: Some(Provider::Docker),
            dedicated: false,
        },
        server: ContainerServer {
            image: image.into(),
            tag: tag.into(),
            ports: Vec::new(),
            launch: ContainerLaunch::default(),
            waits: Vec::new(),
        },
    }
}

/// What a test can say about its container. A test receives a [`ContainerHandle`].
#[derive(Debug, Clone)]
pub struct Container {
    placement: Placement,
    server: ContainerServer,
}

impl Container {
    /// Publishes a port of the container's, so that the test can reach it. The first one is the service's own.
    pub fn port(self, port: u16) -> Self {
        self.ports([port])
    }

    /// Publishes several ports.
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.server.ports.extend(ports);
        self
    }

    /// Variables of its environment, such as `"MODE=test"`.
    pub fn env<S: Into<String>>(mut self, variables: impl IntoIterator<Item = S>) -> Self {
        let variables = variables.into_iter().map(Into::into);
        self.server.launch.env.extend(variables.map(|variable| {
            let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
            (name.to_owned(), value.to_owned())
        }));
        self
    }

    /// Arguments for its entry point, instead of the image's.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.server.launch.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The program to run instead of the image's entry point.
    pub fn entrypoint(mut self, program: impl Into<String>) -> Self {
        self.server.launch.entrypoint = Some(program.into());
        self
    }

    /// Puts files into it before it starts: absolute paths and their contents, which every user in it can read.
    pub fn files<P: Into<String>, C: Into<String>>(mut self, files: impl IntoIterator<Item = (P, C)>) -> Self {
        let files = files.into_iter().map(|(path, content)| (path.into(), content.into()));
        self.server.launch.files.extend(files);
        self
    }

    /// Keeps folders in memory. The image's own volumes always are.
    pub fn tmpfs<S: Into<String>>(mut self, folders: impl IntoIterator<Item = S>) -> Self {
        self.server.launch.tmpfs.extend(folders.into_iter().map(Into::into));
        self
    }

    /// The user that its process runs as, instead of the image's.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.server.launch.user = Some(user.into());
        self
    }

    /// Gives it all rights of the machine.
    pub fn privileged(mut self) -> Self {
        self.server.launch.privileged = true;
        self
    }

    /// The size of its `/dev/shm`, in bytes.
    pub fn shm_size(mut self, bytes: u64) -> Self {
        self.server.launch.shm_size = Some(bytes);
        self
    }

    /// When it is ready: [`wait::http`], [`wait::listening`], [`wait::healthy`], [`wait::logged`]; all of them where there
    /// are several. By default, when something listens on each of its ports.
    pub fn wait(mut self, waits: impl IntoIterator<Item = Wait>) -> Self {
        self.server.waits.extend(waits);
        self
    }

    /// A container of the test's own, which it may stop and start.
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }
}

/// What shapes the container: tests whose values are equal share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerServer {
    image: String,
    tag: String,
    ports: Vec<u16>,
    launch: ContainerLaunch,
    waits: Vec<Wait>,
}

impl ContainerServer {
    fn image(&self) -> String {
        let separator = if self.tag.starts_with("sha256:") { '@' } else { ':' };
        format!("{}{separator}{}", self.image, self.tag)
    }

    fn check(&self) -> Result<()> {
        let unpublished = self
            .waits
            .iter()
            .filter_map(Wait::port)
            .find(|port| !self.ports.contains(port));
        if let Some(port) = unpublished {
            return Err(Error::new(format!(
                "the container of {} waits for its port {port}, which isn't published",
                self.image()
            ))
            .hint(format!("add `.port({port})`")));
        }
        for (path, _) in &self.launch.files {
            if !path.starts_with('/') {
                return Err(Error::new(format!(
                    "`{path}` is not an absolute path in the container of {}",
                    self.image()
                ))
                .hint(format!("write `.files([(\"/{path}\", …)])`")));
            }
        }
        Ok(())
    }
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for Container {
    const NAME: &'static str = "container";
    const CODE: &'static str = crate::wire::BUILD;
    type ServerSpec = ContainerServer;
    type SliceSpec = ();
    type Grant = ContainerGrant;
    type Slices = ContainerSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<(ContainerServer, ())> {
        self.server.check()?;
        Ok((self.server.clone(), ()))
    }

    fn recipe(server: &ContainerServer) -> Recipe {
        let launch = server.launch.clone();
        Recipe::docker(DockerRecipe {
            image: Some(server.image()),
            default_image: server.image(),
            ports: server.ports.clone(),
            launch: Box::new(move |_| launch.clone()),
            advertises: false,
            may_pause: true,
        })
    }

    async fn connect(server: &ContainerServer, endpoint: &Endpoint) -> Result<ContainerSlices> {
        ContainerSlices::connect(server, endpoint).await
    }

    fn url(grant: &ContainerGrant) -> Result<String> {
        if grant.place.ports.is_empty() {
            return Err(Error::new("the container publishes no port, so no URL leads to it")
                .hint("add `.port(…)` to its builder"));
        }
        Ok(format!("tcp://{}", grant.place.address()))
    }

    fn open_command(grant: &ContainerGrant) -> Option<String> {
        Some(format!("docker exec -it {} sh", grant.place.short_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::wait::{healthy, http};
    use super::*;

    #[test]
    fn a_digest_is_joined_by_an_at_sign() {
        assert_eq!(container("a/b", "1").server.image(), "a/b:1");
        assert_eq!(container("a/b", "sha256:0a").server.image(), "a/b@sha256:0a");
    }

    #[test]
    fn what_is_waited_for_has_to_be_published() {
        let waits = || container("a", "1").wait([http(80, "/"), healthy()]);
        let error = waits().server.check().expect_err("not published").render();
        assert!(error.contains("`.port(80)`"), "{error}");
        waits().port(80).server.check().expect("sound");
    }

    #[test]
    fn a_variable_is_split_at_its_first_equals_sign() {
        let server = container("a", "1").env(["A=b=c", "D"]).server;
        let expected = [("A", "b=c"), ("D", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(server.launch.env, expected);
    }
}
