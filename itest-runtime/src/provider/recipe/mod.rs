//! What a provider needs in order to run a service, and what it answers.

mod compose;
mod docker;
mod endpoint;
mod native;

pub use compose::{ComposePlace, ComposeRecipe};
pub use docker::authority;
pub use docker::{ContainerLaunch, ContainerPlace, ContainerStart, DockerRecipe};
pub use endpoint::{Endpoint, Listen};
pub use native::{DeathSignal, Launch, NativeRecipe, Place, Prepare, PrepareArgs, Program};

use std::sync::Arc;

/// How each provider runs a service.
#[derive(Default)]
#[non_exhaustive]
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

    /// A program that is told by its arguments where to listen: as a process of this machine, and in a container of `image`, whose
    /// [`Program::name`] it then is, and in which it listens on `port`. As a process it never runs as root.
    ///
    /// ```
    /// use itest::provider::{Program, Recipe};
    ///
    /// let program = Program::new("memcached");
    /// let recipe = Recipe::listening(program, "memcached:1.6", 11211, |at| {
    ///     vec!["-l".to_owned(), at.host.clone(), "-p".to_owned(), at.port.to_string()]
    /// });
    /// ```
    pub fn listening(
        program: Program,
        image: impl Into<String>,
        port: u16,
        args: impl Fn(&Listen) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let args = Arc::new(args);
        let (inside, name) = (args.clone(), program.name.clone());
        let native =
            NativeRecipe::new(program, move |place| Launch::new(args(&Listen::natively(place)))).refuses_root();
        let docker = DockerRecipe::new(image, port).launch(move |start| {
            let args = inside(&Listen::inside(port, &start.password));
            ContainerLaunch::new([name.clone()].into_iter().chain(args))
        });
        Self::native(native).or_docker(docker)
    }

    /// A container, too.
    pub fn or_docker(self, docker: DockerRecipe) -> Self {
        Self {
            docker: Some(docker),
            ..self
        }
    }
}
