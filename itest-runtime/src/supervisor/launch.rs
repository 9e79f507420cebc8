//! One server's start: until it is ready, or it is known why it never will be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Supervisor;
use super::server::Server;
use super::template::Templates;
use crate::diagnosis::machine::FREE_SPACE;
use crate::error::{Error, Result};
use crate::naming::random_hex;
use crate::os::ProcessId;
use crate::provider::{self, Ask, Endpoint, Instance, Progress, Started};
use crate::service::{Driver, ErasedSlices};
use crate::spec::{Fingerprint, Provision, Request};

/// How often a starting process is tried.
const TRY: Duration = Duration::from_millis(3);
/// How often a starting container is tried: it takes longer, and asking may cost the engine something.
const TRY_CONTAINER: Duration = Duration::from_millis(10);
/// How long somebody else's server may refuse connections: it may be starting, too.
pub(super) const EXTERNAL_PATIENCE: Duration = Duration::from_secs(3);
/// How often a start is repeated for a reason that may be gone the next time.
const STARTS: usize = 3;

/// Starts or finds a server, until a client could use it.
pub(super) async fn start_server(
    supervisor: &Supervisor,
    key: &Fingerprint,
    request: &Request,
    anchor: ProcessId,
    progress: &Progress,
) -> Result<Arc<Server>> {
    let driver = supervisor
        .driver(request)
        .expect("a lease of an unknown service is refused");
    let began = Instant::now();
    // Each use of a server has a name of its own: two specs may lead to one external server.
    let owner = random_hex(4);
    // Runs of one workspace follow each other, so nobody else is at what is kept by these names.
    let keeps = !request.dedicated && !request.once_per_run && !supervisor.keep_templates.is_zero();
    let keep_as = keeps.then(|| format!("{}-{}", supervisor.home.key(), key.short(12)));
    let mut start = 1;
    let ask = Ask {
        name: driver.name(),
        dedicated: request.dedicated,
        owner: &owner,
        keep_as: keep_as.as_deref(),
        run: anchor,
        patience: supervisor.start_timeout,
        progress,
        around: &supervisor.around,
    };
    let (instance, slices, about) = loop {
        let recipe = || driver.recipe(&request.server);
        let started = provider::start(&ask, recipe, &request.provision)
            .await
            .map_err(|error| error.context(format!("failed to start {}", driver.name())))?;
        let Started {
            instance,
            endpoint,
            about,
        } = started;
        let endpoint = endpoint.with_files(supervisor.home.files().join(&owner));
        if let Some(process) = instance.process() {
            supervisor.around.roots.add_server(process);
        }
        match ready(supervisor, driver, request, &instance, &endpoint).await {
            Ok(slices) => break (instance, slices, about),
            Err(error) => {
                let again = start < STARTS && instance.may_go_better();
                instance.stop().await;
                if !again {
                    return Err(error);
                }
                tracing::warn!(%error, "starting again");
                start += 1;
            }
        }
    };
    tracing::info!(
        service = driver.name(),
        ms = began.elapsed().as_millis(),
        about,
        "server is ready"
    );
    let templates = Templates::default();
    for kept in slices.kept_templates() {
        let is_old = kept.built.elapsed().is_ok_and(|age| age > supervisor.keep_templates);
        if is_old {
            slices.drop_template(&kept.template.fingerprint).await;
        } else {
            tracing::info!(template = %kept.template.fingerprint, "a template was kept");
            templates.adopt(kept.template);
        }
    }
    Ok(Server::new(request.service.clone(), owner, slices, instance, templates))
}

/// Connects, as a client would, until that works.
async fn ready(
    supervisor: &Supervisor,
    driver: &Driver,
    request: &Request,
    instance: &Instance,
    endpoint: &Endpoint,
) -> Result<Box<dyn ErasedSlices>> {
    let name = driver.name();
    let patience = if instance.is_external() {
        EXTERNAL_PATIENCE.min(supervisor.start_timeout)
    } else {
        supervisor.start_timeout
    };
    let deadline = Instant::now() + patience;
    let pause = if instance.is_container() { TRY_CONTAINER } else { TRY };
    let mut last = Error::new("no connection was tried");
    let connecting = async {
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(remaining, driver.connect(&request.server, endpoint)).await {
                Ok(Ok(slices)) => return Ok(slices),
                Ok(Err(error)) if error.is_permanent() => return Err(error),
                Ok(Err(error)) => last = error,
                Err(_) => return Err(last),
            }
            if Instant::now() + pause >= deadline {
                return Err(last);
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        biased;
        outcome = connecting => outcome.map_err(|error| match &request.provision {
            Provision::Auto { .. } | Provision::Docker(_) | Provision::Native(_) | Provision::Inside => error
                .context(format!("{name} was started, but could not be used within {patience:?}"))
                .log("the server's last log lines", instance.last_words())
                .or_hint("set ITEST_START_TIMEOUT to more if this machine is slow"),
            Provision::External { url } => error
                .context(format!("the {name} server at {} can't be used", crate::spec::redacted(url)))
                .or_hint(format!("is it running, and is ITEST_{}_URL right?", name.to_uppercase())),
        }),
        how = instance.ended() => {
            let words = instance.last_words();
            let full = words.iter().any(|line| line.contains("No space left"));
            let error = Error::new(format!("failed to start {name}: the server ended at once ({how})"))
                .log("the server's last log lines", words);
            Err(if full { error.hint(FREE_SPACE) } else { error })
        }
    }
}
