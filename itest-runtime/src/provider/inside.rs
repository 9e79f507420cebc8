//! The supervisor itself as a server: a folder for what tests of a run share.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::{Ask, Endpoint, Instance};
use crate::error::{Context, Result};
use crate::os;

/// A folder that goes with the supervisor.
#[derive(Debug)]
pub(crate) struct Inside(PathBuf);

impl Inside {
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "a folder of shared values stays");
        }
    }
}

/// Makes the folder: on a disk, as a program may lie in it, which can't be run from everywhere.
pub(super) fn make(ask: &Ask<'_>) -> Result<(Instance, Endpoint)> {
    let root = ask.around.roots.data_root(Some(&os::temporary_folder()))?;
    let folder = root.join(format!("{}-{}", ask.name, ask.owner));
    let created = fs::DirBuilder::new().mode(0o700).create(&folder);
    created.context(|| format!("failed to create {}", folder.display()))?;
    let endpoint = Endpoint::inside(folder.clone(), ask.owner);
    Ok((Instance::Inside(Inside(folder)), endpoint))
}
