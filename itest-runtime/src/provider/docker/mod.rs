//! Docker: a container, through testcontainers. Nothing else in the project names Docker's libraries.

mod compose;
mod container;
mod control;
mod engine;
mod follow;
mod harvest;
mod image;
mod owner;
mod ports;
mod reach;
mod remote;
mod start;
mod tunnel;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

pub(crate) use compose::Project;
pub(crate) use container::Container;
pub use control::ExecOutput;
pub(crate) use control::{Condition, Control};
use engine::Engine;
use image::{Image, Images};
use owner::Owner;
pub(crate) use remote::environment;
use start::Start;

use super::recipe::{ComposeRecipe, DockerRecipe};
use super::{Ask, Progress, Recipe, Started};
use crate::error::{Context, Error, Result};
use crate::estate::{Roots, Spare};
use crate::naming::random_hex;
use crate::os::ProcessId;
use crate::spec::DockerWish;

/// How long to wait at the end for containers that are just being created.
const CREATED: Duration = Duration::from_secs(20);

/// How often, after a supervisor's death, it is looked for what the engine was creating for it.
const LATE_ROUNDS: u32 = 6;
const ROUND: Duration = Duration::from_millis(500);

/// What a supervisor has to do with the container engine.
#[derive(Debug, Clone)]
pub(crate) struct Docker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    owner: Owner,
    roots: Roots,
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

/// What can be started now.
#[derive(Debug)]
pub(crate) struct Ready {
    engine: Engine,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    Container {
        image: Image,
        recipe: DockerRecipe,
    },
    Compose {
        recipe: ComposeRecipe,
        prefix: Option<String>,
    },
}

impl Ready {
    /// For a person.
    pub(crate) fn describe(&self) -> String {
        match &self.plan {
            Plan::Container { image, .. } => {
                format!(
                    "the container engine answers, and the image {} {}",
                    image.name, image.how
                )
            }
            Plan::Compose { .. } => "the container engine answers".to_owned(),
        }
    }
}

/// A folder that only we can read.
fn create_folder(folder: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .context(|| format!("failed to create {}", folder.display()))
}

impl Docker {
    pub(crate) fn new(roots: Roots) -> Self {
        Self(Arc::new(Inner {
            owner: Owner::own(random_hex(4)),
            roots,
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
        let unable = || {
            Error::new(format!(
                "`{}` can't run in a container: it has no recipe for one",
                ask.name
            ))
        };
        if let Some(recipe) = recipe.compose {
            let engine = self.engine(ask.run).await?;
            let prefix = wish.prefix.clone();
            return Ok(Ready {
                engine,
                plan: Plan::Compose { recipe, prefix },
            });
        }
        let recipe = recipe.docker.ok_or_else(unable)?;
        let engine = self.engine(ask.run).await?;
        let name = recipe
            .image
            .as_ref()
            .or(wish.image.as_ref())
            .unwrap_or(&recipe.default_image);
        let name = image::full_name(name, wish.prefix.as_deref());
        let image = self.0.images.ensure(&engine, &name, ask.run, ask.progress).await?;
        Ok(Ready {
            engine,
            plan: Plan::Container { image, recipe },
        })
    }

    /// Sees to it that images are there, side by side.
    async fn ensure_images(
        &self,
        engine: &Engine,
        names: &[String],
        run: ProcessId,
        progress: &Progress,
    ) -> Result<()> {
        let coming = names
            .iter()
            .map(|name| self.0.images.ensure(engine, name, run, progress));
        futures_util::future::try_join_all(coming).await.map(drop)
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
            Known::Answers(engine) if engine.is_reachable() => return Ok(engine.clone()),
            Known::Unusable(in_run, error) if *in_run == run => return Err(error.clone()),
            Known::Answers(_) | Known::Unusable(..) | Known::Nothing => {}
        }
        match Engine::open().await {
            Ok(engine) => {
                if let Some(process) = engine.process() {
                    self.0.roots.add_server(process);
                }
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

    /// Starts it. Whether it is ready is for the service to find out.
    pub(crate) async fn start(&self, ask: &Ask<'_>, ready: Ready) -> Result<Started> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("itest-{}-{}-{number}", ask.name, self.run());
        let start = Start {
            folder: self.0.roots.data_root(None)?.join(&name),
            name,
            service: ask.name.to_owned(),
            patience: ask.patience,
            use_of_it: ask.owner.to_owned(),
            dedicated: ask.dedicated,
            docker: self.clone(),
            run: ask.run,
            progress: ask.progress.clone(),
        };
        self.0.roots.expect_container(self.run(), &start.name);
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut coming = self.0.coming.lock().await;
        while coming.try_join_next().is_some() {}
        coming.spawn(async move {
            // If nobody waits any more, the end of the supervisor removes it.
            let _ = tell.send(start.carry_out(ready).await);
        });
        drop(coming);
        told.await.unwrap_or_else(|_| {
            Err(Error::new(
                "the supervisor panicked while it started a container; this is a bug in itest, please report it",
            ))
        })
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
    let mut spare = None;
    let engine = Engine::open_apart(|| Ok(spare.insert(Spare::create()?).path().join("ssh"))).await?;
    harvest::of_run(&engine, run).await?;
    harvest::of_the_dead(&engine, &Owner::own(String::new())).await?;
    // What the engine was just creating when the supervisor died comes only now.
    for _ in 0..LATE_ROUNDS {
        tokio::time::sleep(ROUND).await;
        harvest::of_run(&engine, run).await?;
    }
    Ok(())
}
