//! The door: the socket at which clients knock. Somebody may take it away while the supervisor lives.

use std::fs;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use crate::error::{Context, Result};
use crate::home::{Home, Identity, identity};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Door {
    home: Home,
    folder: Option<Identity>,
    listener: UnixListener,
    socket: Identity,
}

impl Door {
    /// Opens it in a home whose folder is there.
    pub(super) fn open(home: &Home) -> Result<Self> {
        let failed = || format!("failed to listen on {}", home.socket().display());
        let listener = UnixListener::bind(home.socket()).context(failed)?;
        let socket = fs::symlink_metadata(home.socket()).context(failed)?;
        Ok(Self {
            home: home.clone(),
            folder: home.identity(),
            listener,
            socket: identity(&socket),
        })
    }

    pub(super) async fn accept(&self) -> std::io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    /// Returns some time after nobody can knock any more. Whoever has just been let in knows that the door is there.
    pub(super) async fn is_gone(&self) {
        tokio::time::sleep(LOOK).await;
        while self.is_there() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(self.home.socket()).is_ok_and(|socket| identity(&socket) == self.socket)
    }

    /// Opens it again where only the socket is gone; none if the folder is, too: whatever lies there now is somebody else's.
    pub(super) fn reopened(self) -> Option<Self> {
        if self.home.identity() != self.folder {
            return None;
        }
        let _ = fs::remove_file(self.home.socket());
        let again = Self::open(&self.home);
        again
            .inspect_err(|error| tracing::warn!(%error, "the socket that was removed could not be made again"))
            .ok()
    }

    /// Closes it: from here on clients find no socket, and wait for the lock.
    pub(super) fn close(self) {
        if self.is_there() {
            let _ = fs::remove_file(self.home.socket());
        }
    }
}
