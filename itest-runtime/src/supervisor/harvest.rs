//! Harvest: what dead supervisors left is removed by the next one to start, whichever workspace it is of.
//!
//! Usually there is nothing: a supervisor's janitor has done it. A lock that nobody holds marks a dead owner.

use std::fs;
use std::path::Path;

use super::roots;
use super::state::State;
use crate::home::Home;
use crate::os::{self, Signal};

/// Cleans up `home`, whose lock the caller holds, and every neighbour whose lock nobody holds. Tells whether one of the dead
/// had something on the container engine, which has to be asked for it.
pub(super) fn harvest(home: &Home) -> bool {
    let mut containers = clear(home);
    for neighbour in home.neighbours() {
        if let Ok(Some(lock)) = neighbour.try_lock() {
            containers |= clear(&neighbour);
            remove(&neighbour.dir());
            let _ = fs::remove_file(neighbour.lock_path());
            drop(lock);
        }
    }
    roots::remove_all_orphans();
    containers
}

fn clear(home: &Home) -> bool {
    let mut containers = false;
    match State::read(&home.state()) {
        Ok(Some(state)) => {
            tracing::info!(home = %home.dir().display(), "cleaning up behind a dead supervisor");
            clear_state(&state);
            containers = !state.containers.is_empty();
        }
        Ok(None) => {}
        Err(error) => tracing::warn!("{error}; only the usual places are cleaned"),
    }
    for root in roots::usual(home.key()) {
        remove(&root);
    }
    // Whoever starts a supervisor makes its home and its log first.
    for entry in fs::read_dir(home.dir()).into_iter().flatten().flatten() {
        if entry.path() != home.log() {
            remove(&entry.path());
        }
    }
    containers
}

fn clear_state(state: &State) {
    if state.boot == os::boot_id() {
        for server in state.servers.iter().filter(|server| server.is_alive()) {
            os::send_signal(server.pid, Signal::QUIT);
        }
    }
    state
        .roots
        .iter()
        .filter(|root| roots::is_left(root))
        .for_each(|root| remove(root));
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
