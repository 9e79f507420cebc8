//! What it takes to run a service that is a whole compose file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ContainerPlace;

/// How to bring up a compose file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComposeRecipe {
    /// The file, by its absolute path.
    pub file: PathBuf,
    /// The profiles that are enabled.
    pub profiles: Vec<String>,
    /// Variables that the file may use, over those of the environment.
    pub env: Vec<(String, String)>,
}

/// Where a compose file's containers can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComposePlace {
    /// The project's name, which no other has.
    pub project: String,
    /// The containers, by service; more than one where the file asks for replicas.
    pub services: BTreeMap<String, Vec<ContainerPlace>>,
}
