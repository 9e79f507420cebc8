//! A compose file's containers: brought up by Docker's own tool, followed and removed by us.
//!
//! What the tool gets is not the user's file but what it resolves that to, with our labels, without fixed names and ports
//! (see `file`): so two runs can have it at once, and whatever its owner leaves is found.

mod file;
mod tool;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use serde_json::Value;
use testcontainers::bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use tokio::sync::watch;

use super::Docker;
use super::engine::{Engine, within};
use super::follow::{self, Followed};
use super::harvest;
use super::owner::PROJECT;
use super::ports::all_published;
use crate::error::{Context, Error, Result};
use crate::estate::Roots;
use crate::os::ProcessId;
use crate::provider::Progress;
use crate::provider::log::Log;
use crate::provider::recipe::{ComposePlace, ComposeRecipe, ContainerPlace};
use crate::spec::FingerprintBuilder;
use file::Terms;
use tool::{Call, Tool};

/// The containers of a compose file that this supervisor brought up.
#[derive(Debug)]
pub(crate) struct Project {
    engine: Engine,
    name: String,
    roots: Roots,
    folder: PathBuf,
    /// By which those of its containers are reached.
    ports: Vec<u16>,
    log: Log,
    /// By service.
    ended: Vec<(String, watch::Receiver<Option<String>>)>,
}

/// What a project is to be.
pub(super) struct Order {
    pub(super) name: String,
    pub(super) service: String,
    pub(super) recipe: ComposeRecipe,
    pub(super) prefix: Option<String>,
    /// Where its log goes, and the file that the tool is given.
    pub(super) folder: PathBuf,
    pub(super) patience: Duration,
    /// Whether a test that has it to itself may stop containers.
    pub(super) may_pause: bool,
    pub(super) docker: Docker,
    pub(super) roots: Roots,
    pub(super) run: ProcessId,
    pub(super) progress: Progress,
}

/// Brings it up. Once this has begun it must be let finish: what is created meanwhile would be lost otherwise.
pub(super) async fn up(engine: Engine, order: Order) -> Result<(Project, ComposePlace)> {
    let project = bring_up(&engine, &order).await;
    let outcome = match project {
        Ok(()) => attend(&engine, &order).await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        if harvest::of_project(&engine, &order.name).await.is_ok() {
            order.roots.forget_container(&order.name);
        }
        remove_folder(order.folder).await;
    }
    outcome
}

async fn bring_up(engine: &Engine, order: &Order) -> Result<()> {
    let ComposeRecipe { file, profiles, env } = &order.recipe;
    let tool = Tool::find().await?;
    let resolved = tool.resolve(&order.name, file, profiles, env).await?;
    let model: Value = serde_saphyr::from_str(&resolved)
        .context(|| format!("failed to understand what the compose tool makes of {}", file.display()))?;
    let labels = order
        .docker
        .0
        .owner
        .labels()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let labels = labels
        .chain([
            (PROJECT.to_owned(), order.name.clone()),
            ("itest.service".to_owned(), order.service.clone()),
        ])
        .collect();
    let rewritten = file::rewrite(
        model,
        &Terms {
            labels: &labels,
            bind: &engine.publish.bind,
            prefix: order.prefix.as_deref(),
            built: &built(file),
        },
    );
    super::create_folder(&order.folder)?;
    let ours = order.folder.join("compose.json");
    // It may hold passwords; the folder is closed to others.
    let text = serde_json::to_vec_pretty(&rewritten.model).context(|| "the compose file has no JSON form")?;
    fs::write(&ours, text).context(|| format!("failed to write {}", ours.display()))?;
    order
        .docker
        .ensure_images(engine, &rewritten.images, order.run, &order.progress)
        .await?;
    let call = Call {
        tool,
        project: &order.name,
        file: &ours,
        folder: file.parent().unwrap_or(Path::new("/")),
        profiles,
    };
    if rewritten.builds {
        order.progress.say(format!("building the images of {}", file.display()));
        call.build().await?;
    }
    call.up(order.patience)
        .await
        .map_err(|error| error.context(format!("failed to bring up {}", file.display())))
}

/// The first part of the names of images that this file builds.
fn built(file: &Path) -> String {
    let mut name = FingerprintBuilder::new("compose");
    name.bytes(file.as_os_str().as_encoded_bytes());
    let name = name.finish().to_string();
    format!("itest-{}", &name[..12])
}

async fn attend(engine: &Engine, order: &Order) -> Result<(Project, ComposePlace)> {
    let log = Log::new(order.folder.join("server.log"));
    let file = Arc::new(log.create()?);
    let containers = containers(engine, &order.name).await?;
    if containers.is_empty() {
        return Err(
            Error::new(format!("{} has no service to start", order.recipe.file.display()))
                .hint("name its profile, as in `compose(\"…\").profiles([\"test\"])`"),
        );
    }
    let ended = containers
        .iter()
        .map(|(id, service)| {
            let followed = Followed {
                engine: engine.clone(),
                id: id.clone(),
                // As the tool itself shows it.
                prefix: format!("{service} | "),
                may_pause: order.may_pause,
            };
            (service.clone(), follow::follow(followed, file.clone()))
        })
        .collect();
    let places = join_all(containers.iter().map(|(id, _)| place(engine, id))).await;
    let mut services: BTreeMap<String, Vec<ContainerPlace>> = BTreeMap::new();
    for ((_, service), place) in containers.iter().zip(places) {
        services.entry(service.clone()).or_default().push(place?);
    }
    let ports = services
        .values()
        .flatten()
        .flat_map(|place| place.ports.values().copied());
    let project = Project {
        engine: engine.clone(),
        name: order.name.clone(),
        roots: order.roots.clone(),
        folder: order.folder.clone(),
        ports: ports.collect(),
        log,
        ended,
    };
    let place = ComposePlace {
        project: order.name.clone(),
        services,
    };
    Ok((project, place))
}

/// The project's containers: id, and service.
async fn containers(engine: &Engine, project: &str) -> Result<Vec<(String, String)>> {
    let filters = HashMap::from([("label", vec![format!("{PROJECT}={project}")])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let listed = within(engine.docker.list_containers(Some(options)))
        .await
        .context(|| "failed to list the project's containers")?;
    let mut found: Vec<_> = listed
        .into_iter()
        .filter_map(|container| {
            let service = container.labels?.get("com.docker.compose.service")?.clone();
            Some((container.id?, service))
        })
        .collect();
    found.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(found)
}

async fn place(engine: &Engine, id: &str) -> Result<ContainerPlace> {
    let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>))
        .await
        .context(|| "failed to look at a container of the project")?;
    let image = inspected.config.and_then(|config| config.image).unwrap_or_default();
    let known = inspected
        .network_settings
        .and_then(|settings| settings.ports)
        .unwrap_or_default();
    let ports = all_published(engine, known).await?;
    Ok(ContainerPlace {
        id: id.to_owned(),
        image,
        host: engine.publish.host.clone(),
        port: ports.values().next().copied().unwrap_or(0),
        ports,
        password: String::new(),
        tunnel: engine.tunnel(),
    })
}

async fn remove_folder(folder: PathBuf) {
    let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await;
}

impl Project {
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until one of its containers fails. A job that ended with success has not failed.
    pub(crate) async fn ended(&self) -> String {
        let mut failing: Vec<_> = self
            .ended
            .iter()
            .map(|(service, ended)| Box::pin(async move { (service, follow::how(ended.clone()).await) }))
            .collect();
        while !failing.is_empty() {
            let ((service, how), _, rest) = select_all(failing).await;
            if how != follow::SUCCESS {
                return format!("`{service}`: {how}");
            }
            failing = rest;
        }
        std::future::pending().await
    }

    /// Removes its containers, networks and volumes.
    pub(crate) async fn stop(&self) {
        self.engine.release(self.ports.iter().copied()).await;
        match harvest::of_project(&self.engine, &self.name).await {
            Ok(_) => self.roots.forget_container(&self.name),
            Err(error) => tracing::warn!(%error, "something of a compose project stays"),
        }
        remove_folder(self.folder.clone()).await;
    }
}
