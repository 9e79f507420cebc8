//! How a server comes to run. A provider turns a recipe into a running server; it knows no service.

#[cfg(feature = "docker")]
pub(crate) mod docker;
pub(crate) mod external;
mod inside;
mod instance;
mod log;
#[cfg(feature = "native")]
pub(crate) mod native;
mod recipe;

use std::time::Duration;

use tokio::sync::watch;

#[cfg(feature = "docker")]
pub use docker::ExecOutput;
#[cfg(feature = "docker")]
pub(crate) use docker::{Condition, Control};
pub(crate) use instance::Instance;
pub use recipe::authority;
pub use recipe::{
    ComposePlace, ComposeRecipe, ContainerLaunch, ContainerPlace, ContainerStart, DeathSignal, DockerRecipe, Endpoint,
    Launch, Listen, NativeRecipe, Place, Prepare, PrepareArgs, Program, Recipe,
};

use crate::error::{Error, Result};
use crate::os::ProcessId;
pub use crate::os::SegmentFile;
use crate::spec::{DockerWish, NativeWish, Provision};

/// What providers need to know of the supervisor.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// A folder of this supervisor's, in which servers get folders; by the data folder that a person set.
    pub(crate) roots: crate::estate::Roots,
    pub(crate) cache_dir: std::path::PathBuf,
    pub(crate) server_user: Option<String>,
    #[cfg(feature = "docker")]
    pub(crate) docker: docker::Docker,
}

/// Tells those who wait for a server what goes on.
#[derive(Debug, Clone)]
pub(crate) struct Progress(watch::Sender<String>);

impl Progress {
    pub(crate) fn new() -> (Self, watch::Receiver<String>) {
        let (tell, told) = watch::channel(String::new());
        (Self(tell), told)
    }

    pub(crate) fn say(&self, text: String) {
        self.0.send_replace(text);
    }
}

/// A server that is asked for.
pub(crate) struct Ask<'a> {
    /// The service's name.
    pub(crate) name: &'a str,
    pub(crate) dedicated: bool,
    /// Eight hexadecimal digits that name this use of the server, on every machine.
    pub(crate) owner: &'a str,
    /// Under which name the data of its server may be kept for later ones; none if it may not.
    pub(crate) keep_as: Option<&'a str>,
    /// The run that asks: what failed once isn't tried again in the same run.
    pub(crate) run: ProcessId,
    /// How long the start may take.
    pub(crate) patience: Duration,
    pub(crate) progress: &'a Progress,
    pub(crate) around: &'a Surroundings,
}

/// A server that was started or found.
pub(crate) struct Started {
    pub(crate) instance: Instance,
    pub(crate) endpoint: Endpoint,
    /// What it is, and why it was chosen where there was a choice.
    pub(crate) about: String,
}

/// Starts or finds the server. `recipe` may be asked for more than once.
pub(crate) async fn start(
    ask: &Ask<'_>,
    recipe: impl Fn() -> Result<Recipe>,
    provision: &Provision,
) -> Result<Started> {
    match provision {
        Provision::Native(wish) => start_native(ask, recipe()?, wish).await,
        Provision::Docker(wish) => match start_docker(ask, recipe()?, wish).await {
            Ok((started, _)) => Ok(started),
            Err(Failure::Unavailable(error) | Failure::Failed(error)) => Err(error),
        },
        Provision::Inside => {
            let (instance, endpoint) = inside::make(ask)?;
            Ok(Started {
                instance,
                endpoint,
                about: "in the supervisor".to_owned(),
            })
        }
        Provision::External { url } => {
            let (instance, endpoint) = external::find(ask.name, url, ask.dedicated, ask.owner)?;
            Ok(Started {
                instance,
                endpoint,
                about: format!("external, at {}", crate::spec::redacted(url)),
            })
        }
        Provision::Auto { docker, native } => {
            let no_docker = match start_docker(ask, recipe()?, docker).await {
                Ok((started, why)) => return Ok(started.chosen(ask, &why)),
                Err(Failure::Failed(error)) => return Err(error),
                Err(Failure::Unavailable(error)) => error,
            };
            match start_native(ask, recipe()?, native).await {
                Ok(started) => Ok(started.chosen(ask, &format!("no container, as {no_docker}"))),
                Err(no_native) => Err(neither(ask.name, &no_docker, &no_native)),
            }
        }
    }
}

/// Why there is no container.
enum Failure {
    /// It can't be had here: another provider may do.
    Unavailable(Error),
    /// It was had, and something is wrong that a person should know.
    #[cfg_attr(
        not(feature = "docker"),
        expect(dead_code, reason = "without the feature, none is ever started")
    )]
    Failed(Error),
}

/// A container, and why one can be had.
#[cfg(feature = "docker")]
async fn start_docker(ask: &Ask<'_>, recipe: Recipe, wish: &DockerWish) -> Result<(Started, String), Failure> {
    let docker = &ask.around.docker;
    let ready = docker.prepare(ask, recipe, wish).await.map_err(Failure::Unavailable)?;
    let why = ready.describe();
    let started = docker.start(ask, ready).await.map_err(Failure::Failed)?;
    Ok((started, why))
}

#[cfg(not(feature = "docker"))]
async fn start_docker(ask: &Ask<'_>, recipe: Recipe, _: &DockerWish) -> Result<(Started, String), Failure> {
    drop(recipe);
    Err(Failure::Unavailable(
        Error::new(format!(
            "`{}` can't run in a container: this build has no docker provider",
            ask.name
        ))
        .hint("enable the feature `docker` of itest"),
    ))
}

#[cfg(feature = "native")]
async fn start_native(ask: &Ask<'_>, recipe: Recipe, wish: &NativeWish) -> Result<Started> {
    let recipe = native::recipe_of(ask.name, recipe)?;
    let (server, place) = native::start(ask, recipe, wish).await?;
    Ok(Started {
        instance: Instance::Native(server),
        about: "a process of this machine".to_owned(),
        endpoint: Endpoint::native(&place, ask.owner, ask.dedicated),
    })
}

#[cfg(not(feature = "native"))]
async fn start_native(ask: &Ask<'_>, recipe: Recipe, _: &NativeWish) -> Result<Started> {
    drop(recipe);
    Err(Error::new(format!(
        "`{}` can't run as a process: this build has no native provider",
        ask.name
    ))
    .hint("enable the feature `native` of itest"))
}

impl Started {
    fn chosen(mut self, ask: &Ask<'_>, why: &str) -> Self {
        self.about = format!("{} ({why})", self.about);
        tracing::info!(service = ask.name, about = self.about, "chosen");
        ask.progress.say(format!("{} is {}", ask.name, self.about));
        self
    }
}

/// What was tried for a service that may run in any way, and what would help each.
fn neither(name: &str, docker: &Error, native: &Error) -> Error {
    let variable = name.to_uppercase();
    let tried = |error: &Error| {
        let lines = error.log_lines().iter().map(|line| format!("\n  {line}"));
        let remedy = error.remedy().map(|hint| format!("\n  to fix that: {hint}"));
        format!("{error}{}{}", lines.collect::<String>(), remedy.unwrap_or_default())
    };
    Error::new(format!("no way was found to run {name}")).hint(format!(
        "any one of these will do:\n\
         external: no URL is set\n  to fix that: set ITEST_{variable}_URL\n\
         docker: {}\n\
         native: {}",
        tried(docker),
        tried(native),
    ))
}
