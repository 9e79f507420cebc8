//! Several servers at once, as a compose file describes them.
//!
//! The file is brought up once in each run, under a project name of its own, and shared by all tests that name it.

mod handle;
mod slices;

pub use handle::ComposeHandle;
pub use slices::{ComposeGrant, ComposeSlices};

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::provider::{ComposeRecipe, Endpoint, Recipe};
use crate::service::{Placement, Service, TestContext};
use crate::spec::{Fingerprint, FingerprintBuilder, Provider};

/// The containers of this compose file, whose path is relative to the package.
///
/// Its fixed ports and names don't matter: every port that it publishes or exposes is published on a free one of the
/// loopback interface, and a test asks its [`ComposeHandle`] which.
///
/// ```
/// use itest::service::compose;
/// use itest::service::compose::Compose;
///
/// /// `#[integration(stack)]`
/// fn stack() -> Compose {
///     compose("docker-compose.test.yml").profiles(["search"])
/// }
/// ```
pub fn compose(file: impl Into<PathBuf>) -> Compose {
    Compose {
        // It is nothing else, whatever a setting says of other services.
        placement: Placement {
            provider: Some(Provider::Docker),
            dedicated: false,
        },
        file: file.into(),
        profiles: Vec::new(),
        env: Vec::new(),
    }
}

/// What a test can say about its compose file. A test receives a [`ComposeHandle`].
#[derive(Debug, Clone)]
pub struct Compose {
    placement: Placement,
    file: PathBuf,
    profiles: Vec<String>,
    env: Vec<String>,
}

impl Compose {
    /// Profiles of the file that are enabled.
    pub fn profiles<S: Into<String>>(mut self, profiles: impl IntoIterator<Item = S>) -> Self {
        self.profiles.extend(profiles.into_iter().map(Into::into));
        self
    }

    /// Variables that the file may use, such as `"TAG=1.2"`, over those of the environment.
    pub fn env<S: Into<String>>(mut self, variables: impl IntoIterator<Item = S>) -> Self {
        self.env.extend(variables.into_iter().map(Into::into));
        self
    }

    /// Containers of the test's own, which it may stop and start.
    pub fn dedicated(mut self) -> Self {
        self.placement.dedicated = true;
        self
    }

    fn server_of(&self, file: PathBuf, content: &[u8]) -> ComposeServer {
        let mut fingerprint = FingerprintBuilder::new("compose");
        fingerprint.bytes(content);
        ComposeServer {
            content: fingerprint.finish(),
            recipe: ComposeRecipe {
                file,
                profiles: self.profiles.clone(),
                env: self
                    .env
                    .iter()
                    .map(|variable| variable.split_once('=').unwrap_or((variable, "")))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            },
        }
    }
}

/// What shapes the containers: tests whose values are equal share them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComposeServer {
    recipe: ComposeRecipe,
    content: Fingerprint,
}

// In no error about a type that is not a service: the compiler would list those that are in an order of its own.
#[diagnostic::do_not_recommend]
impl Service for Compose {
    const NAME: &'static str = "compose";
    const CODE: &'static str = crate::wire::BUILD;
    /// It builds images, mounts folders and reads further files: none of it is seen from outside.
    const ONCE_PER_RUN: bool = true;
    type ServerSpec = ComposeServer;
    type SliceSpec = ();
    type Grant = ComposeGrant;
    type Slices = ComposeSlices;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, test: &TestContext) -> Result<(ComposeServer, ())> {
        let file = test.package_dir.join(&self.file);
        let content = fs::read(&file)
            .context(|| format!("failed to read the compose file {}", file.display()))
            .map_err(|error| error.hint("its path is relative to the package, where its Cargo.toml is"))?;
        Ok((self.server_of(file, &content), ()))
    }

    fn recipe(server: &ComposeServer) -> Recipe {
        Recipe::compose(server.recipe.clone())
    }

    async fn connect(_: &ComposeServer, endpoint: &Endpoint) -> Result<ComposeSlices> {
        ComposeSlices::connect(endpoint).await
    }

    fn url(grant: &ComposeGrant) -> Result<String> {
        Err(Error::new(format!(
            "the compose project {} has many addresses, not one URL",
            grant.place.project
        ))
        .hint("take a `ComposeHandle`, and ask it for the address of a service"))
    }

    fn open_command(grant: &ComposeGrant) -> Option<String> {
        Some(format!(
            "docker ps --filter label=com.docker.compose.project={}",
            grant.place.project
        ))
    }
}
