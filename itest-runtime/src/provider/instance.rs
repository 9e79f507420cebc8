//! A running server, as its provider sees it.

use super::log::Log;
use crate::os::ProcessId;

/// A running server, as its provider sees it.
#[derive(Debug)]
pub(crate) enum Instance {
    #[cfg(feature = "native")]
    Native(super::native::NativeServer),
    #[cfg(feature = "docker")]
    Docker(super::docker::Container),
    #[cfg(feature = "docker")]
    Compose(super::docker::Project),
    Inside(super::inside::Inside),
    External,
}

impl Instance {
    /// Whether it is somebody else's.
    pub(crate) fn is_external(&self) -> bool {
        matches!(self, Self::External)
    }

    /// The process to be ended where no parent-death signal does it.
    pub(crate) fn process(&self) -> Option<ProcessId> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.process(),
            _ => None,
        }
    }

    /// How much room is left where the server keeps its data, if that can be seen.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.free_bytes(),
            _ => None,
        }
    }

    fn log(&self) -> Option<&Log> {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => Some(server.log()),
            #[cfg(feature = "docker")]
            Self::Docker(container) => Some(container.log()),
            #[cfg(feature = "docker")]
            Self::Compose(project) => Some(project.log()),
            Self::Inside(_) | Self::External => None,
        }
    }

    /// The last lines of the server's log.
    pub(crate) fn last_words(&self) -> Vec<String> {
        self.log().map(Log::last_words).unwrap_or_default()
    }

    /// How long the log is now: what comes after belongs to the future.
    pub(crate) fn log_length(&self) -> u64 {
        self.log().map_or(0, Log::length)
    }

    /// The log's lines from `offset` on.
    pub(crate) fn log_since(&self, offset: u64) -> Vec<String> {
        self.log().map(|log| log.since(offset)).unwrap_or_default()
    }

    /// Whether it runs behind a container engine: what it writes to its log may then come here only a moment later.
    pub(crate) fn is_container(&self) -> bool {
        match self {
            #[cfg(feature = "docker")]
            Self::Docker(_) | Self::Compose(_) => true,
            _ => false,
        }
    }

    /// Waits until all that the engine knows of the log is here, if `offset` was the log's length at the beginning.
    pub(crate) async fn catch_up_with_log(&self, offset: u64) {
        match self {
            #[cfg(feature = "docker")]
            Self::Docker(container) => container.catch_up_with_log(offset).await,
            _ => {
                let _ = offset;
            }
        }
    }

    /// Whether another start may succeed: what could be repaired for it has been.
    pub(crate) fn may_go_better(&self) -> bool {
        // A port that somebody took meanwhile.
        let port_taken = self.last_words().iter().any(|line| line.contains("in use"));
        match self {
            // A prepared data folder that is damaged.
            #[cfg(feature = "native")]
            Self::Native(server) => port_taken || server.distrust_prepared(),
            #[cfg(feature = "docker")]
            Self::Docker(_) | Self::Compose(_) => false,
            Self::Inside(_) => false,
            Self::External => port_taken,
        }
    }

    /// Waits until the server ends by itself, and says how. An external server's end isn't seen.
    pub(crate) async fn ended(&self) -> String {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.ended().await,
            #[cfg(feature = "docker")]
            Self::Docker(container) => container.ended().await,
            #[cfg(feature = "docker")]
            Self::Compose(project) => project.ended().await,
            Self::Inside(_) | Self::External => std::future::pending().await,
        }
    }

    /// Whether its data may be kept for the next server to begin with.
    pub(crate) fn may_be_kept(&self) -> bool {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.may_be_kept(),
            _ => false,
        }
    }

    /// Ends the server, keeps its data if it may, and removes what it had.
    pub(crate) async fn stop_and_keep(&self) {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.stop_and_keep().await,
            _ => self.stop().await,
        }
    }

    /// Ends the server and removes what it had.
    pub(crate) async fn stop(&self) {
        match self {
            #[cfg(feature = "native")]
            Self::Native(server) => server.stop().await,
            #[cfg(feature = "docker")]
            Self::Docker(container) => container.stop().await,
            #[cfg(feature = "docker")]
            Self::Compose(project) => project.stop().await,
            Self::Inside(folder) => folder.remove(),
            Self::External => {}
        }
    }
}
