//! Docker: a container, through testcontainers. Nothing else in the project names Docker's libraries.

mod container;
mod engine;
mod harvest;
mod image;
mod owner;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

pub(crate) use container::Container;
use engine::Engine;
use image::{Image, Images};
use owner::Owner;

use super::recipe::{ContainerPlace, DockerRecipe};
use super::{Ask, Recipe};
use crate::error::{Error, Result};
use crate::naming::random_hex;
use crate::os::ProcessId;
use crate::spec::DockerWish;

/// How long to wait at the end for containers that are just being created.
const CREATED: Duration = Duration::from_secs(20);

/// What a supervisor has to do with the container engine.
#[derive(Debug, Clone)]
pub(crate) struct Docker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    owner: Owner,
    engine: Mutex<Known>,
    images: Images,
    next: AtomicU32,
    /// Containers on their way: they are let finish, so that none is lost between being created and being known.
    coming: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Answers(Engine),
    /// It isn't asked again in the same run.
    Unusable(ProcessId, Error),
}

/// What a container can be made of.
#[derive(Debug)]
pub(crate) struct Ready {
    engine: Engine,
    image: Image,
    recipe: DockerRecipe,
}

impl Ready {
    /// For a person.
    pub(crate) fn describe(&self) -> String {
        format!(
            "the container engine answers, and the image {} {}",
            self.image.name, self.image.how
        )
    }
}

impl Docker {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            owner: Owner::own(random_hex(4)),
            engine: Mutex::default(),
            images: Images::default(),
            next: AtomicU32::new(1),
            coming: Mutex::default(),
        }))
    }

    /// The label of everything that this supervisor has on the engine.
    pub(crate) fn run(&self) -> &str {
        &self.0.owner.run
    }

    /// Sees to an engine that answers and an image that is there.
    pub(crate) async fn prepare(&self, ask: &Ask<'_>, recipe: Recipe, wish: &DockerWish) -> Result<Ready> {
        let recipe = recipe.docker.ok_or_else(|| {
            Error::new(format!(
                "`{}` can't run in a container: it has no recipe for one",
                ask.name
            ))
        })?;
        let engine = self.engine(ask.run).await?;
        let name = recipe
            .image
            .as_ref()
            .or(wish.image.as_ref())
            .unwrap_or(&recipe.default_image);
        let name = image::full_name(name, wish.prefix.as_deref());
        let image = self.0.images.ensure(&engine, &name, ask.run, ask.progress).await?;
        Ok(Ready { engine, image, recipe })
    }

    /// Removes what dead supervisors left on the engine, in the background.
    pub(crate) async fn harvest(&self) {
        // Opening it does that.
        if let Err(error) = self.engine(ProcessId::own()).await {
            tracing::warn!(%error, "what dead supervisors left on the engine stays");
        }
    }

    async fn engine(&self, run: ProcessId) -> Result<Engine> {
        let mut known = self.0.engine.lock().await;
        match &*known {
            Known::Answers(engine) => return Ok(engine.clone()),
            Known::Unusable(in_run, error) if *in_run == run => return Err(error.clone()),
            Known::Unusable(..) | Known::Nothing => {}
        }
        match Engine::open().await {
            Ok(engine) => {
                *known = Known::Answers(engine.clone());
                let (inner, other) = (self.0.clone(), engine.clone());
                tokio::spawn(async move {
                    match harvest::of_the_dead(&other, &inner.owner).await {
                        Ok(0) => {}
                        Ok(count) => tracing::info!(count, "removed what dead supervisors left on the engine"),
                        Err(error) => tracing::warn!(%error, "what dead supervisors left on the engine stays"),
                    }
                });
                Ok(engine)
            }
            Err(error) => {
                *known = Known::Unusable(run, error.clone());
                Err(error)
            }
        }
    }

    /// Starts a container. Whether it is ready is for the service to find out.
    pub(crate) async fn start(&self, ask: &Ask<'_>, ready: Ready) -> Result<(Container, ContainerPlace)> {
        let Ready { engine, image, recipe } = ready;
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("itest-{}-{}-{number}", ask.name, self.run());
        let folder = ask.around.roots.data_root(None)?.join(&name);
        ask.around.roots.expect_containers(self.run());
        let (tell, told) = tokio::sync::oneshot::channel();
        let (inner, service, patience) = (self.0.clone(), ask.name.to_owned(), ask.patience);
        let mut coming = self.0.coming.lock().await;
        while coming.try_join_next().is_some() {}
        coming.spawn(async move {
            let order = container::Order {
                name,
                service: &service,
                recipe: &recipe,
                image: &image,
                owner: &inner.owner,
                password: random_hex(24),
                folder,
                patience,
            };
            // If nobody waits any more, the end of the supervisor removes it.
            let _ = tell.send(container::start(engine, order).await);
        });
        drop(coming);
        told.await
            .unwrap_or_else(|_| Err(Error::new("the supervisor made a mistake while it started a container")))
    }

    /// Removes everything that this supervisor has on the engine. Whether nothing stays is the answer.
    pub(crate) async fn clear(&self) -> bool {
        let Known::Answers(engine) = &*self.0.engine.lock().await else {
            return true;
        };
        let mut coming = std::mem::take(&mut *self.0.coming.lock().await);
        let created = tokio::time::timeout(CREATED, async { while coming.join_next().await.is_some() {} }).await;
        let cleared = harvest::of_run(engine, self.run()).await;
        if let Err(error) = &cleared {
            tracing::warn!(%error, "something of ours stays on the engine");
        }
        created.is_ok() && cleared.is_ok()
    }
}

/// Removes everything of a run whose supervisor is dead, and of every other that is. For its janitor.
pub(crate) async fn sweep(run: &str) -> Result<()> {
    let engine = Engine::open().await?;
    harvest::of_run(&engine, run).await?;
    harvest::of_the_dead(&engine, &Owner::own(String::new())).await?;
    Ok(())
}
