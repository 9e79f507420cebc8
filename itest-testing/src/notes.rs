//! What guests tell the test that runs them: lines in files of a notebook. Alone, without a notebook, they tell nobody.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The variable that names the notebook's folder.
pub(crate) const NOTEBOOK: &str = "GUESTS_NOTEBOOK";

/// Adds a line under a heading.
///
/// # Panics
/// When the notebook can't be written to.
pub fn note(heading: &str, line: impl std::fmt::Display) {
    let Some(folder) = notebook() else { return };
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(heading))
        .expect("the notebook can be written to");
    // One write: lines of several guests don't mix.
    file.write_all(format!("{line}\n").as_bytes())
        .expect("the notebook can be written to");
}

/// Waits until there is something under a heading; alone, a guest has nobody to wait for.
///
/// # Panics
/// When nothing comes.
pub async fn wait_for(heading: &str) {
    let Some(folder) = notebook() else { return };
    crate::wait_until(heading, || {
        read(&folder, heading).is_empty().then(|| "nothing is noted".to_owned())
    })
    .await;
}

pub(crate) fn read(folder: &Path, heading: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(heading)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn notebook() -> Option<PathBuf> {
    std::env::var_os(NOTEBOOK).map(PathBuf::from)
}
