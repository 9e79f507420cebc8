//! How a server comes to run. A provider turns a recipe into a running server; it knows no service.

pub(crate) mod external;
#[cfg(feature = "native")]
pub(crate) mod native;
mod recipe;

pub use recipe::{DeathSignal, Endpoint, Launch, NativeRecipe, Place, Prepare, PrepareArgs, Program, Recipe};

use crate::error::Result;
use crate::os::ProcessId;
use crate::spec::Provision;

/// A running server, as its provider sees it.
#[derive(Debug)]
pub(crate) enum Instance {
    #[cfg(feature = "native")]
    Native(native::NativeServer),
    External,
}

impl Instance {
    /// The process to be ended where no parent-death signal does it.
    pub(crate) fn process(&self) -> Option<ProcessId> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.process(),
            Self::External => None,
        }
    }

    /// The last lines that the server wrote.
    pub(crate) fn last_words(&self) -> Vec<String> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.last_words(),
            Self::External => Vec::new(),
        }
    }

    /// How much the server has written to its log.
    pub(crate) fn log_length(&self) -> u64 {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.log_length(),
            Self::External => 0,
        }
    }

    /// What the server wrote to its log from `offset` on.
    pub(crate) fn log_since(&self, offset: u64) -> Vec<String> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.log_since(offset),
            Self::External => {
                let _ = offset;
                Vec::new()
            }
        }
    }

    /// Waits until the server ends by itself, and says how. An external server's end isn't seen.
    pub(crate) async fn ended(&self) -> String {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.ended().await,
            Self::External => std::future::pending().await,
        }
    }

    /// Ends the server and removes what it had on this machine.
    pub(crate) async fn stop(&self) {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.stop().await,
            Self::External => {}
        }
    }
}

/// What providers need to know of the supervisor.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// A folder of this supervisor's, in which servers get folders; by the data folder that a person set.
    pub(crate) roots: crate::supervisor::Roots,
    pub(crate) cache_dir: std::path::PathBuf,
    pub(crate) server_user: Option<String>,
}

/// Starts or finds the server.
pub(crate) async fn start(
    name: &str,
    recipe: Recipe,
    provision: &Provision,
    dedicated: bool,
    owner: &str,
    around: &Surroundings,
) -> Result<(Instance, Endpoint)> {
    match provision {
        #[cfg(feature = "native")]
        Provision::Native { bin, data_dir } => {
            let recipe = native::recipe_of(name, recipe)?;
            let (server, place) = native::start(name, recipe, bin.as_deref(), data_dir.as_deref(), around).await?;
            Ok((
                Instance::Native(server),
                Endpoint::Native {
                    place,
                    owner: owner.to_owned(),
                    dedicated,
                },
            ))
        }
        #[cfg(not(feature = "native"))]
        Provision::Native { .. } => {
            drop(recipe);
            Err(
                crate::error::Error::new(format!("`{name}` can't be started: this build has no native provider"))
                    .hint("enable the feature `native` of itest, or set a URL for the external provider"),
            )
        }
        Provision::External { url } => external::find(name, url, dedicated, owner),
    }
}
