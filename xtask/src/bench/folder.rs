//! The folder that all of a run lies in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What its name begins with; the rest is the pid of its owner. Short, as sockets' paths must be.
const NAME: &str = "itest-bench-";

/// Goes with its value.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn create() -> Result<Self> {
        remove_leftovers();
        let dir = std::env::temp_dir().join(format!("{NAME}{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
        Ok(Self(dir))
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run that was killed leaves its folder; what ran in it has ended with its stdin.
fn remove_leftovers() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let dead = |name: &str| {
        let owner = name.strip_prefix(NAME).map(|pid| Path::new("/proc").join(pid));
        Path::new("/proc/self").exists() && owner.is_some_and(|owner| !owner.exists())
    };
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(dead)) {
        let _ = fs::remove_dir_all(entry.path());
    }
}
