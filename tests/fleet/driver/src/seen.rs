//! What was seen of a harbour's supervisors while they lived: by this one finds what they leave.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The part of a supervisor's state file that matters here.
#[derive(Debug, Deserialize)]
struct State {
    supervisor: ProcessId,
    roots: Vec<PathBuf>,
    servers: Vec<ProcessId>,
    containers: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ProcessId {
    pid: u32,
}

/// Process numbers and folders.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) supervisors: BTreeSet<u32>,
    pub(crate) servers: BTreeSet<u32>,
    pub(crate) roots: BTreeSet<PathBuf>,
    /// By their names.
    pub(crate) containers: BTreeSet<String>,
}

impl Seen {
    /// Looks at what all supervisors below `dir` say of themselves now.
    pub(crate) fn look(&mut self, dir: &Path) {
        for state in states(dir) {
            self.supervisors.insert(state.supervisor.pid);
            self.servers.extend(state.servers.iter().map(|server| server.pid));
            self.roots.extend(state.roots);
            self.containers.extend(state.containers);
        }
    }
}

/// The supervisors below `dir` as they are now, or were when they died.
pub(crate) fn supervisors(dir: &Path) -> Vec<u32> {
    states(dir).iter().map(|state| state.supervisor.pid).collect()
}

fn states(dir: &Path) -> Vec<State> {
    let homes = fs::read_dir(dir).into_iter().flatten().flatten();
    homes
        .filter_map(|home| fs::read(home.path().join("state.json")).ok())
        .map(|text| serde_json::from_slice(&text).expect("a state file is replaced as a whole"))
        .collect()
}
