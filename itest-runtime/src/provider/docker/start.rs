//! A start that goes on whether or not somebody still waits for it.

use std::path::PathBuf;
use std::time::Duration;

use super::image::Image;
use super::{Docker, Engine, Plan, Ready, compose, container};
use crate::error::Result;
use crate::naming::random_hex;
use crate::os::ProcessId;
use crate::provider::recipe::{ComposeRecipe, DockerRecipe, Endpoint};
use crate::provider::{Instance, Progress, Started};

/// A start, with all that it needs to know once nobody may be waiting for it any more.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) service: String,
    pub(super) folder: PathBuf,
    pub(super) patience: Duration,
    pub(super) use_of_it: String,
    pub(super) dedicated: bool,
    pub(super) docker: Docker,
    pub(super) run: ProcessId,
    pub(super) progress: Progress,
}

impl Start {
    pub(super) async fn carry_out(self, Ready { engine, plan }: Ready) -> Result<Started> {
        match plan {
            Plan::Container { image, recipe } => self.container(engine, &image, &recipe).await,
            Plan::Compose { recipe, prefix } => self.compose(engine, recipe, prefix).await,
        }
    }

    async fn container(self, engine: Engine, image: &Image, recipe: &DockerRecipe) -> Result<Started> {
        let order = container::Order {
            name: self.name,
            service: &self.service,
            recipe,
            image,
            owner: &self.docker.0.owner,
            password: random_hex(24),
            folder: self.folder,
            patience: self.patience,
            may_pause: recipe.may_pause && self.dedicated,
            roots: self.docker.0.roots.clone(),
        };
        let (container, place) = container::start(engine, order).await?;
        Ok(Started {
            instance: Instance::Docker(container),
            about: format!("a container of {}", place.image),
            endpoint: Endpoint::docker(place, &self.use_of_it, self.dedicated),
        })
    }

    async fn compose(self, engine: Engine, recipe: ComposeRecipe, prefix: Option<String>) -> Result<Started> {
        let about = format!("the containers of {}", recipe.file.display());
        let order = compose::Order {
            name: self.name,
            service: self.service,
            recipe,
            prefix,
            folder: self.folder,
            patience: self.patience,
            may_pause: self.dedicated,
            roots: self.docker.0.roots.clone(),
            docker: self.docker,
            run: self.run,
            progress: self.progress,
        };
        let (project, place) = compose::up(engine, order).await?;
        Ok(Started {
            instance: Instance::Compose(project),
            endpoint: Endpoint::of_compose(place, &self.use_of_it, self.dedicated),
            about,
        })
    }
}
