//! Images: what they are called, whether they are there, and how they come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use testcontainers::bollard::auth::DockerCredentials;
use testcontainers::bollard::models::{CreateImageInfo, ImageInspect};
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;
use tokio::sync::Mutex;

use super::engine::{Engine, causes, is_missing, within};
use crate::error::{Context, Error, Result};
use crate::os::ProcessId;
use crate::provider::Progress;

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_secs(20);
/// How often a person hears of a pull.
const REPORT: Duration = Duration::from_secs(2);

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) name: String,
    /// Folders that would become anonymous volumes.
    pub(super) volumes: Vec<String>,
    /// How it came, for a person.
    pub(super) how: &'static str,
}

/// What is known of images: each is pulled once, however many ask.
#[derive(Debug, Default)]
pub(super) struct Images(Mutex<HashMap<String, Arc<Mutex<Option<Failed>>>>>);

/// A pull that failed isn't tried again in the same run.
#[derive(Debug)]
struct Failed {
    run: ProcessId,
    error: Error,
}

impl Images {
    /// Sees to it that the image is there.
    pub(super) async fn ensure(
        &self,
        engine: &Engine,
        name: &str,
        run: ProcessId,
        progress: &Progress,
    ) -> Result<Image> {
        let one = self.0.lock().await.entry(name.to_owned()).or_default().clone();
        let mut failed = one.lock().await;
        if let Some(inspected) = look(engine, name).await? {
            return Ok(image(name, inspected, "is here"));
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.run == run) {
            return Err(failed.error.clone());
        }
        *failed = None;
        if let Err(error) = pull(engine, name, progress).await {
            *failed = Some(Failed {
                run,
                error: error.clone(),
            });
            return Err(error);
        }
        let inspected = look(engine, name).await?;
        let inspected = inspected.ok_or_else(|| Error::new(format!("the image {name} was pulled, and isn't there")))?;
        Ok(image(name, inspected, "was pulled"))
    }
}

fn image(name: &str, inspected: ImageInspect, how: &'static str) -> Image {
    let config = inspected.config.unwrap_or_default();
    Image {
        name: name.to_owned(),
        volumes: config.volumes.unwrap_or_default(),
        how,
    }
}

async fn look(engine: &Engine, name: &str) -> Result<Option<ImageInspect>> {
    match within(engine.docker.inspect_image(name)).await {
        Ok(inspected) => Ok(Some(inspected)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error).context(|| format!("failed to look for the image {name}")),
    }
}

async fn pull(engine: &Engine, name: &str, progress: &Progress) -> Result<()> {
    progress.say(format!("pulling {name}"));
    tracing::info!(name, "pulling");
    let mut options = CreateImageOptionsBuilder::new().from_image(name);
    let platform = std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default();
    if !platform.is_empty() {
        options = options.platform(&platform);
    }
    let credentials = credentials(registry(name)).await;
    let pulling = engine.docker.create_image(Some(options.build()), None, credentials);
    let mut pulling = std::pin::pin!(pulling);
    let mut layers = Layers::default();
    let mut reported = Instant::now();
    loop {
        let said = match tokio::time::timeout(SILENCE, pulling.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(info))) => info,
            Ok(Some(Err(error))) => return Err(unpulled(name, &causes(&error))),
            Err(_) => {
                return Err(unpulled(
                    name,
                    &format!("i/o timeout: nothing was heard for {SILENCE:?}"),
                ));
            }
        };
        if let Some(error) = said.error_detail.as_ref().and_then(|detail| detail.message.as_ref()) {
            return Err(unpulled(name, error));
        }
        layers.hear(&said);
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            progress.say(format!("pulling {name}: {layers}"));
        }
    }
}

/// How far the layers are that are being downloaded.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (i64, i64)>);

impl Layers {
    fn hear(&mut self, said: &CreateImageInfo) {
        let (Some(id), Some("Downloading"), Some(detail)) = (&said.id, said.status.as_deref(), &said.progress_detail)
        else {
            return;
        };
        if let (Some(current), Some(total)) = (detail.current, detail.total) {
            self.0.insert(id.clone(), (current, total));
        }
    }
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (current, total) = self
            .0
            .values()
            .fold((0, 0), |(current, total), layer| (current + layer.0, total + layer.1));
        write!(f, "{} of {} MB so far", current / 1_000_000, total / 1_000_000)
    }
}

/// The image's name with the prefix of a mirror, unless the name says which registry it is from.
pub(super) fn full_name(name: &str, prefix: Option<&str>) -> String {
    // Without a tag the engine would pull every tag there is.
    let last = name.rsplit('/').next().unwrap_or(name);
    let tagged = if last.contains([':', '@']) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    match prefix {
        Some(prefix) if registry(name) == HUB => format!("{}/{tagged}", prefix.trim_end_matches('/')),
        _ => tagged,
    }
}

/// What credential stores call Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// The registry of an image: the first part of its name, if that can be a host.
fn registry(name: &str) -> &str {
    match name.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => HUB,
    }
}

/// What `docker login` stored. Without it, the registry says what it thinks of strangers.
async fn credentials(registry: &str) -> Option<DockerCredentials> {
    let server = registry.to_owned();
    let looked_up = tokio::task::spawn_blocking(move || match std::env::var("DOCKER_AUTH_CONFIG") {
        Ok(config) => docker_credential::get_credential_from_reader(config.as_bytes(), &server).ok(),
        Err(_) => docker_credential::get_credential(&server).ok(),
    });
    let mut credentials = DockerCredentials {
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    };
    match tokio::time::timeout(SILENCE, looked_up).await.ok()?.ok()?? {
        docker_credential::DockerCredential::IdentityToken(token) => credentials.identitytoken = Some(token),
        docker_credential::DockerCredential::UsernamePassword(user, password) => {
            credentials.username = Some(user);
            credentials.password = Some(password);
        }
    }
    Some(credentials)
}

/// Why a pull failed, and what to do about it.
fn unpulled(name: &str, said: &str) -> Error {
    Error::new(said)
        .context(format!("the image {name} is not on the engine, and can't be pulled"))
        .hint(remedy(name, &said.to_lowercase()))
}

/// By what the engine says: registries have no common codes that get through to here.
fn remedy(name: &str, said: &str) -> String {
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let local = format!(
        "make the image known to the engine (`docker pull {name}` where there is a network, `docker load`), or name one \
         that is there"
    );
    if says(&["toomanyrequests", "rate limit", "too many requests"]) {
        return "the registry limits how much you may pull: run `docker login`, or set ITEST_IMAGE_PREFIX to a mirror"
            .to_owned();
    }
    if says(&["no matching manifest", "does not match the specified platform"]) {
        return "the image isn't made for this machine: set DOCKER_DEFAULT_PLATFORM (such as `linux/amd64`), or name another \
                image"
            .to_owned();
    }
    if says(&[
        "unauthorized",
        "authentication",
        "auth credentials",
        "incorrect username",
        "denied",
        "forbidden",
    ]) {
        let server = registry(name);
        let server = if server == HUB { "" } else { server };
        return format!(
            "is the name right? If so, the registry wants to know who you are: run `{}`",
            format!("docker login {server}").trim_end()
        );
    }
    if says(&["manifest unknown", "not found", "no such manifest"]) {
        return "no such image or tag: is its name right, in the test or in ITEST_<SERVICE>_IMAGE?".to_owned();
    }
    if says(&[
        "no such host",
        "dial tcp",
        "timeout",
        "timed out",
        "connection refused",
        "network is unreachable",
        "temporary failure",
        "server misbehaving",
        "eof",
    ]) {
        return format!("the registry can't be reached: {local}, or set ITEST_IMAGE_PREFIX to a mirror that can");
    }
    local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_stands_in_for_the_hub_alone() {
        let full = |name| full_name(name, Some("registry.example.com/mirror/"));
        assert_eq!(full("postgres:16"), "registry.example.com/mirror/postgres:16");
        assert_eq!(
            full("postgis/postgis"),
            "registry.example.com/mirror/postgis/postgis:latest"
        );
        for own in ["ghcr.io/a/b:1", "localhost/itest-postgres:15", "host:5000/a:1"] {
            assert_eq!(full(own), own);
        }
    }

    #[test]
    fn a_name_without_a_tag_gets_one_and_a_digest_needs_none() {
        assert_eq!(full_name("host:5000/redis", None), "host:5000/redis:latest");
        assert_eq!(full_name("redis@sha256:0a1b", None), "redis@sha256:0a1b");
    }

    #[test]
    fn each_cause_has_its_remedy() {
        for (said, remedy_has) in [
            (
                "dial tcp: lookup registry-1.docker.io: no such host",
                "can't be reached",
            ),
            ("toomanyrequests: You have reached your pull rate limit", "docker login"),
            (
                "manifest for postgres:99 not found: manifest unknown",
                "no such image or tag",
            ),
            (
                "pull access denied for nobody/nothing, repository does not exist",
                "docker login",
            ),
            ("no basic auth credentials", "docker login"),
            ("no matching manifest for linux/arm64/v8", "DOCKER_DEFAULT_PLATFORM"),
        ] {
            let error = unpulled("postgres:99", said).render();
            assert!(error.contains(remedy_has) && error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_pull_says_how_far_it_is() {
        let mut layers = Layers::default();
        for (id, current) in [("a", 1_000_000), ("b", 2_000_000), ("a", 5_000_000)] {
            let mut said = CreateImageInfo {
                id: Some(id.to_owned()),
                status: Some("Downloading".to_owned()),
                ..CreateImageInfo::default()
            };
            said.progress_detail = Some(testcontainers::bollard::models::ProgressDetail {
                current: Some(current),
                total: Some(10_000_000),
            });
            layers.hear(&said);
        }
        assert_eq!(layers.to_string(), "7 of 20 MB so far");
    }
}
