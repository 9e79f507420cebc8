//! One container: how it is started, followed and removed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder, WaitContainerOptions};
use testcontainers::core::ContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, CopyTargetOptions, GenericImage, ImageExt};
use tokio::sync::watch;

use super::engine::{Engine, Publish, causes, is_missing, within};
use super::image::Image;
use super::owner::Owner;
use crate::error::{Context, Error, Result};
use crate::provider::log::Log;
use crate::provider::recipe::{ContainerLaunch, ContainerPlace, DockerRecipe};
use crate::supervisor::Roots;

/// How a container ended that did what it had to.
pub(super) const SUCCESS: &str = "exit code: 0";
/// How long the last words of a container may take that doesn't run.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often the log is looked at for a line that has to come.
const CATCH_UP: Duration = Duration::from_millis(5);
/// How often a container that may be stopped and started again is looked at while it is stopped.
const LOOK: Duration = Duration::from_millis(200);

/// A container that this supervisor started.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    id: String,
    name: String,
    roots: Roots,
    folder: PathBuf,
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
    let launch = (order.recipe.launch)(&order.password);
    let request = request(&order, &launch, &engine.publish);
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
            return Err(error);
        }
    };
    match attend(&engine, &id, &order).await {
        Ok(attended) => Ok(attended),
        Err(error) => {
            if engine.remove(&id).await.is_ok() {
                order.roots.forget_container(&order.name);
            }
            Err(error)
        }
    }
}

async fn attend(engine: &Engine, id: &str, order: &Order<'_>) -> Result<(Container, ContainerPlace)> {
    super::create_folder(&order.folder)?;
    let log = Log::new(order.folder.join("server.log"));
    let followed = Followed {
        engine: engine.clone(),
        id: id.to_owned(),
        prefix: String::new(),
        may_pause: order.may_pause,
    };
    let ended = follow(followed, Arc::new(log.create()?));
    let container = Container {
        engine: engine.clone(),
        id: id.to_owned(),
        name: order.name.clone(),
        roots: order.roots.clone(),
        folder: order.folder.clone(),
        log,
        ended,
    };
    let ports = match published(engine, id, &order.recipe.ports).await {
        Ok(ports) => ports,
        Err(error) => {
            // All that it said is here once it is known how it ended.
            let _ = tokio::time::timeout(LAST_WORDS, container.ended()).await;
            let words = container.log.last_words();
            container.stop().await;
            return Err(error.log("the container's last log lines", words));
        }
    };
    let main = order.recipe.ports.first().and_then(|port| ports.get(port));
    let place = ContainerPlace {
        id: id.to_owned(),
        image: order.image.name.clone(),
        host: engine.publish.host.clone(),
        port: main.copied().unwrap_or(0),
        ports,
        password: order.password.clone(),
    };
    Ok((container, place))
}

fn request(order: &Order<'_>, launch: &ContainerLaunch, publish: &Publish) -> ContainerRequest<GenericImage> {
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
    let bindings = bindings(&order.recipe.ports, publish);
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

type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

/// Each port on one of the host's that is free, where only those can reach it who have to.
fn bindings(ports: &[u16], publish: &Publish) -> Bindings {
    ports
        .iter()
        .map(|port| {
            let binding = PortBinding {
                host_ip: Some(publish.bind.clone()),
                host_port: Some(String::new()),
            };
            (format!("{port}/tcp"), Some(vec![binding]))
        })
        .collect()
}

/// The host's ports, once the container runs.
pub(super) async fn published(engine: &Engine, id: &str, ports: &[u16]) -> Result<BTreeMap<u16, u16>> {
    let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>))
        .await
        .context(|| "failed to look up the container's ports")?;
    let known = inspected
        .network_settings
        .and_then(|settings| settings.ports)
        .unwrap_or_default();
    ports
        .iter()
        .map(|port| {
            let bindings = known.get(&format!("{port}/tcp")).and_then(Option::as_ref);
            let host = host_port(bindings).ok_or_else(|| {
                let state = inspected.state.as_ref();
                let running = state.and_then(|state| state.running).unwrap_or(false);
                if running {
                    Error::new(format!("the engine published no port for the container's port {port}"))
                } else {
                    let code = state.and_then(|state| state.exit_code).unwrap_or_default();
                    Error::new(format!("the container ended at once (exit code {code})"))
                }
            })?;
            Ok((*port, host))
        })
        .collect()
}

/// Where a port is published.
pub(super) fn host_port(bindings: Option<&Vec<PortBinding>>) -> Option<u16> {
    bindings?
        .iter()
        .find_map(|binding| binding.host_port.as_ref()?.parse().ok())
}

/// A container that is followed.
pub(super) struct Followed {
    pub(super) engine: Engine,
    pub(super) id: String,
    /// Stands before each of its lines.
    pub(super) prefix: String,
    /// Whether it may stop and start again.
    pub(super) may_pause: bool,
}

/// Has what the container says written to a file. The answer comes to know how it ended.
pub(super) fn follow(followed: Followed, file: Arc<fs::File>) -> watch::Receiver<Option<String>> {
    let (tell, ended) = watch::channel(None);
    tokio::spawn(async move {
        let how = followed.follow(&file).await;
        tell.send_replace(Some(how));
    });
    ended
}

/// How a container ended, once it has.
pub(super) async fn how(mut ended: watch::Receiver<Option<String>>) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(how) => how.clone().unwrap_or_default(),
        Err(_) => "it is not known how".to_owned(),
    }
}

impl Followed {
    /// To its end.
    async fn follow(self, mut file: &fs::File) -> String {
        let mut since = 0;
        loop {
            let options = LogsOptionsBuilder::new()
                .follow(true)
                .stdout(true)
                .stderr(true)
                .since(since)
                .build();
            let mut lines = std::pin::pin!(self.engine.docker.logs(&self.id, Some(options)));
            while let Some(Ok(line)) = lines.next().await {
                let _ = file.write_all(&[self.prefix.as_bytes(), &line.into_bytes()].concat());
            }
            let how = end_of(&self.engine, &self.id).await;
            if !self.may_pause || !comes_back(&self.engine, &self.id).await {
                return how;
            }
            // Seconds are all that engines of every age understand: a line may come twice, and none is lost.
            since = i32::try_from(unix_seconds()).unwrap_or(0);
        }
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// Waits until the container doesn't run, and says why.
async fn end_of(engine: &Engine, id: &str) -> String {
    let mut waiting = std::pin::pin!(engine.docker.wait_container(id, None::<WaitContainerOptions>));
    let code = match waiting.next().await {
        Some(Ok(end)) => end.status_code,
        Some(Err(EngineError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) if is_missing(&error) => return "its container was removed".to_owned(),
        Some(Err(error)) => return format!("the container engine doesn't know: {}", causes(&error)),
        None => return "its container was removed".to_owned(),
    };
    let state = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>)).await;
    let state = state.ok().and_then(|inspected| inspected.state);
    if state.is_some_and(|state| state.oom_killed == Some(true)) {
        return "it was killed for lack of memory".to_owned();
    }
    match code {
        0 => SUCCESS.to_owned(),
        // By the shell's custom: 128 and the signal's number.
        129..=159 => format!("signal: {}", code - 128),
        _ => format!("exit code: {code}"),
    }
}

/// Waits until a stopped container runs again; no if it is gone.
async fn comes_back(engine: &Engine, id: &str) -> bool {
    loop {
        let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>)).await;
        match inspected {
            Ok(inspected) => {
                if inspected.state.is_some_and(|state| state.running == Some(true)) {
                    return true;
                }
            }
            Err(_) => return false,
        }
        tokio::time::sleep(LOOK).await;
    }
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
        how(self.ended.clone()).await
    }

    /// Removes it, with its volumes and its log.
    pub(crate) async fn stop(&self) {
        match self.engine.remove(&self.id).await {
            Ok(()) => self.roots.forget_container(&self.name),
            Err(error) => tracing::warn!(%error, "a container stays"),
        }
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_published_on_loopback_alone() {
        let publish = Publish {
            bind: "127.0.0.1".to_owned(),
            host: "127.0.0.1".to_owned(),
        };
        let bindings = bindings(&[5432], &publish);
        let binding = bindings["5432/tcp"].as_ref().expect("one")[0].clone();
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
    }
}
