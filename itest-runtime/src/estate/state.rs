//! The state file: what a supervisor started, for whoever cleans up behind it after `kill -9` of supervisor and janitor, or
//! after a reboot.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::home::{Home, Identity};
use crate::os::{self, ProcessId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) supervisor: ProcessId,
    pub(super) boot: String,
    /// Folders that hold the servers' data.
    pub(super) roots: Vec<PathBuf>,
    pub(super) servers: Vec<ProcessId>,
    /// What it has started on the container engine. Labels tell more; that there is something to look for is told here.
    pub(super) containers: Vec<String>,
}

impl State {
    /// Reads a state file; none if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(|| format!("failed to read {}", path.display())),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .context(|| format!("the state file {} is damaged", path.display()))
    }
}

#[derive(Debug)]
pub(crate) struct StateFile {
    home: Home,
    folder: Option<Identity>,
    state: State,
}

impl StateFile {
    pub(crate) fn new(home: &Home) -> Self {
        let state = State {
            supervisor: ProcessId::own(),
            boot: os::boot_id(),
            roots: Vec::new(),
            servers: Vec::new(),
            containers: Vec::new(),
        };
        let file = Self {
            home: home.clone(),
            folder: home.identity(),
            state,
        };
        file.write();
        file
    }

    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state);
        self.write();
        changed
    }

    /// The file matters only when all else fails: a test doesn't fail because it can't be written.
    fn write(&self) {
        // Where the folder is gone, another supervisor may have its own.
        if self.home.identity() != self.folder {
            return;
        }
        let path = self.home.state();
        let draft = path.with_extension("draft");
        let written = serde_json::to_vec(&self.state)
            .map_err(std::io::Error::other)
            .and_then(|text| fs::write(&draft, text))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "failed to write the state file");
        }
    }
}
