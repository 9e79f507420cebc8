//! Harvest: what dead supervisors left is removed by the next one to start, whichever workspace it is of.
//!
//! Usually there is nothing: a supervisor's janitor has done it. A lock that nobody holds marks a dead owner. No test waits for
//! it: what is in the way is renamed, and removed behind the start.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use super::outside::remove_segment;
use super::roots;
use super::state::State;
use crate::home::Home;
use crate::os::{self, Signal};

/// What the dead have left, out of everybody's way: removing a million files takes longer than a start may.
#[derive(Debug, Default)]
pub(crate) struct Leavings {
    folders: Vec<PathBuf>,
    /// Whether one of the dead had something on the container engine, which has to be asked for it.
    pub(crate) containers: bool,
}

impl Leavings {
    /// Clears `home`, whose lock the caller holds.
    pub(crate) fn of(home: &Home) -> Self {
        let mut leavings = Self::default();
        leavings.clear(home);
        leavings
    }

    /// Clears every neighbour whose lock nobody holds, and removes all that was found, and all that has no owner.
    pub(crate) fn remove(mut self, home: &Home) -> Self {
        for neighbour in home.neighbours() {
            if let Ok(Some(lock)) = neighbour.try_lock() {
                self.clear(&neighbour);
                remove(&neighbour.dir());
                let _ = fs::remove_file(neighbour.lock_path());
                drop(lock);
            }
        }
        self.folders.drain(..).for_each(|folder| remove_root(&folder));
        roots::remove_all_orphans();
        self
    }

    fn clear(&mut self, home: &Home) {
        match State::read(&home.state()) {
            Ok(Some(state)) => {
                tracing::info!(home = %home.dir().display(), "cleaning up behind a dead supervisor");
                self.clear_state(&state);
                self.containers |= !state.containers.is_empty();
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("{error}; only the usual places are cleaned"),
        }
        self.folders
            .extend(roots::usual(home.key()).iter().map(|root| roots::put_aside(root)));
        // Whoever starts a supervisor makes its home and its log first, and the supervisor its mark.
        let stays = [home.log(), home.begun()];
        for entry in fs::read_dir(home.dir()).into_iter().flatten().flatten() {
            if !stays.contains(&entry.path()) {
                remove(&entry.path());
            }
        }
    }

    fn clear_state(&mut self, state: &State) {
        if state.boot == os::boot_id() {
            for server in state.servers.iter().filter(|server| server.is_alive()) {
                os::send_signal(server.pid, Signal::QUIT);
            }
        }
        let left = state.roots.iter().filter(|root| roots::is_left(root));
        self.folders.extend(left.map(|root| roots::put_aside(root)));
    }
}

/// Does what may take long beside all else, with the supervisor's log.
pub(crate) fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let log = tracing::dispatcher::get_default(Clone::clone);
    tokio::task::spawn_blocking(move || tracing::dispatcher::with_default(&log, work))
}

/// Removes a root, and what servers that were killed have left elsewhere.
pub(super) fn remove_root(root: &Path) {
    for server in fs::read_dir(root).into_iter().flatten().flatten() {
        remove_segment(&server.path());
    }
    remove(root);
}

pub(super) fn remove(path: &Path) {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return,
    };
    if let Err(error) = removed {
        tracing::warn!(%error, path = %path.display(), "failed to remove what a dead supervisor left");
    }
}
