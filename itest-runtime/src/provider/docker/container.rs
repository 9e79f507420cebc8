//! One container: how it is started and removed.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::models::HostConfig;
use testcontainers::bollard::query_parameters::LogsOptionsBuilder;
use testcontainers::core::ContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, CopyTargetOptions, GenericImage, ImageExt};
use tokio::sync::watch;

use super::engine::{Engine, causes};
use super::follow::{self, Followed, follow};
use super::image::Image;
use super::owner::Owner;
use super::ports::{Chosen, bindings, choose, is_taken, published};
use super::reach::Publish;
use crate::error::{Error, Result};
use crate::estate::Roots;
use crate::provider::log::Log;
use crate::provider::recipe::{ContainerLaunch, ContainerPlace, ContainerStart, DockerRecipe};

/// How long the last words of a container may take that doesn't run.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often other ports are tried where somebody has taken those that were chosen.
const STARTS: usize = 5;
/// How often the log is looked at for a line that has to come.
const CATCH_UP: Duration = Duration::from_millis(5);

/// A container that this supervisor started.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    id: String,
    name: String,
    roots: Roots,
    folder: PathBuf,
    /// By which its own are reached.
    ports: Vec<u16>,
    log: Log,
    ended: watch::Receiver<Option<String>>,
}

/// What a container is to be.
pub(super) struct Order<'a> {
    pub(super) name: String,
    pub(super) service: &'a str,
    pub(super) recipe: &'a DockerRecipe,
    pub(super) image: &'a Image,
    pub(super) owner: &'a Owner,
    pub(super) password: String,
    /// Where its log goes.
    pub(super) folder: PathBuf,
    pub(super) patience: Duration,
    /// Whether a test that has it to itself may stop it and start it again.
    pub(super) may_pause: bool,
    pub(super) roots: Roots,
}

/// Creates and starts it. Once this has begun it must be let finish: what is created meanwhile would be lost otherwise.
pub(super) async fn start(engine: Engine, order: Order<'_>) -> Result<(Container, ContainerPlace)> {
    let mut starts = 1;
    loop {
        let chosen = if order.recipe.advertises {
            choose(&engine, &order.recipe.ports).await?
        } else {
            Chosen::default()
        };
        let failure = match start_at(&engine, &order, &chosen).await {
            Ok(started) => return Ok(started),
            Err(failure) => failure,
        };
        engine.release(chosen.reached.into_values()).await;
        match failure {
            Failure::PortTaken(error) if order.recipe.advertises && starts < STARTS => {
                tracing::info!(%error, "other ports are tried");
                order.roots.expect_container(&order.owner.run, &order.name);
                starts += 1;
            }
            Failure::PortTaken(error) | Failure::Other(error) => return Err(error),
        }
    }
}

/// Why a container didn't start.
enum Failure {
    /// Somebody else has a port that it was to have.
    PortTaken(Error),
    Other(Error),
}

async fn start_at(engine: &Engine, order: &Order<'_>, chosen: &Chosen) -> Result<(Container, ContainerPlace), Failure> {
    let launch = (order.recipe.launch)(&ContainerStart {
        password: order.password.clone(),
        host: engine.publish.host.clone(),
        ports: chosen.reached.clone(),
    });
    let request = request(order, &launch, chosen, &engine.publish);
    let started = tokio::time::timeout(order.patience, request.start())
        .await
        .unwrap_or(Err(
            testcontainers::core::error::WaitContainerError::StartupTimeout.into()
        ));
    let id = match started {
        Ok(container) => {
            let id = container.id().to_owned();
            // It would remove the container when it is dropped, and block this thread meanwhile: we do that ourselves.
            std::mem::forget(container);
            id
        }
        Err(error) => {
            let wanted = format!("failed to start a container of {}", order.image.name);
            let error = Error::new(causes(&error)).context(wanted);
            // It may have been created all the same, under this name.
            if engine.remove(&order.name).await.is_ok() {
                order.roots.forget_container(&order.name);
            }
            return Err(if is_taken(&error) {
                Failure::PortTaken(error)
            } else {
                Failure::Other(error)
            });
        }
    };
    match attend(engine, &id, order, chosen).await {
        Ok(attended) => Ok(attended),
        Err(error) => {
            if engine.remove(&id).await.is_ok() {
                order.roots.forget_container(&order.name);
            }
            Err(Failure::Other(error))
        }
    }
}

async fn attend(engine: &Engine, id: &str, order: &Order<'_>, chosen: &Chosen) -> Result<(Container, ContainerPlace)> {
    super::create_folder(&order.folder)?;
    let log = Log::new(order.folder.join("server.log"));
    let followed = Followed {
        engine: engine.clone(),
        id: id.to_owned(),
        prefix: String::new(),
        may_pause: order.may_pause,
    };
    let ended = follow(followed, Arc::new(log.create()?));
    let mut container = Container {
        engine: engine.clone(),
        id: id.to_owned(),
        name: order.name.clone(),
        roots: order.roots.clone(),
        folder: order.folder.clone(),
        ports: Vec::new(),
        log,
        ended,
    };
    let ports = match published(engine, id, &order.recipe.ports, chosen).await {
        Ok(ports) => ports,
        Err(error) => {
            // All that it said is here once it is known how it ended.
            let _ = tokio::time::timeout(LAST_WORDS, container.ended()).await;
            let words = container.log.last_words();
            container.stop().await;
            return Err(error.log("the container's last log lines", words));
        }
    };
    container.ports = ports.values().copied().collect();
    let main = order.recipe.ports.first().and_then(|port| ports.get(port));
    let place = ContainerPlace {
        id: id.to_owned(),
        image: order.image.name.clone(),
        host: engine.publish.host.clone(),
        port: main.copied().unwrap_or(0),
        ports,
        password: order.password.clone(),
        tunnel: engine.tunnel(),
    };
    Ok((container, place))
}

fn request(
    order: &Order<'_>,
    launch: &ContainerLaunch,
    chosen: &Chosen,
    publish: &Publish,
) -> ContainerRequest<GenericImage> {
    // A digest has a colon, too: `name@sha256:…`.
    let (name, tag) = order
        .image
        .name
        .rsplit_once(':')
        .unwrap_or((&order.image.name, "latest"));
    let mut image = GenericImage::new(name, tag);
    if let Some(entrypoint) = &launch.entrypoint {
        image = image.with_entrypoint(entrypoint);
    }
    let mut request = ContainerRequest::from(image)
        .with_container_name(&order.name)
        .with_labels(order.owner.labels())
        .with_label("itest.service", order.service)
        .with_cmd(&launch.args)
        .with_startup_timeout(order.patience)
        .with_privileged(launch.privileged);
    for (name, value) in &launch.env {
        request = request.with_env_var(name, value);
    }
    for (path, contents) in &launch.files {
        let target = CopyTargetOptions::new(path).with_mode(0o444);
        request = request.with_copy_to(target, contents.as_bytes().to_vec());
    }
    if let Some(user) = &launch.user {
        request = request.with_user(user);
    }
    if let Some(bytes) = launch.shm_size {
        request = request.with_shm_size(bytes);
    }
    let bindings = bindings(&order.recipe.ports, chosen, publish);
    // Nothing of a test's server has to outlive it: what would be a volume is kept in memory.
    let tmpfs: HashMap<String, String> = order
        .image
        .volumes
        .iter()
        .chain(&launch.tmpfs)
        .map(|path| (path.clone(), "rw,exec".to_owned()))
        .collect();
    for port in &order.recipe.ports {
        request = request.with_mapped_port(0, ContainerPort::Tcp(*port));
    }
    request.with_host_config_modifier(move |host: &mut HostConfig| {
        host.publish_all_ports = Some(false);
        host.port_bindings = Some(bindings.clone());
        host.tmpfs = Some(tmpfs.clone());
    })
}

impl Container {
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The engine's last line has to be among ours.
    pub(crate) async fn catch_up_with_log(&self, offset: u64) {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("1").build();
        let mut said = std::pin::pin!(self.engine.docker.logs(&self.id, Some(options)));
        let Some(Ok(last)) = said.next().await else { return };
        let last = last.to_string();
        // It may have come long before.
        let from = offset.saturating_sub(last.len() as u64 + 1);
        while !self.log.since(from).iter().any(|line| line.contains(last.trim_end())) {
            tokio::time::sleep(CATCH_UP).await;
        }
    }

    pub(crate) async fn ended(&self) -> String {
        follow::how(self.ended.clone()).await
    }

    /// Removes it, with its volumes and its log.
    pub(crate) async fn stop(&self) {
        self.engine.release(self.ports.iter().copied()).await;
        match self.engine.remove(&self.id).await {
            Ok(()) => self.roots.forget_container(&self.name),
            Err(error) => tracing::warn!(%error, "a container stays"),
        }
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await;
    }
}
