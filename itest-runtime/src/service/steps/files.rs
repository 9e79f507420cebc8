//! Files that a template is made of, and where a test's names for them lead.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::memory::content_of;
use crate::error::{Context, Error, Result};
use crate::service::TestContext;
use crate::spec::Fingerprint;

/// All files of a folder with one extension.
#[derive(Debug, Clone)]
pub struct Folder {
    pub(super) word: &'static str,
    pub(super) path: String,
    pub(super) extension: &'static str,
}

impl Folder {
    /// Where it is.
    pub fn path(&self, test: &TestContext) -> PathBuf {
        test.package_dir.join(&self.path)
    }

    /// The fingerprint of what is in it. A process looks once: a template and its base begin with the same folder.
    pub(super) fn content(&self, test: &TestContext) -> Result<Fingerprint> {
        static KNOWN: Mutex<BTreeMap<(PathBuf, &str), Fingerprint>> = Mutex::new(BTreeMap::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.path(test), self.extension);
        if let Some(known) = known().get(&key) {
            return Ok(known.clone());
        }
        let content = content_of(&self.files(test)?, test.memory.as_deref())?;
        known().insert(key, content.clone());
        Ok(content)
    }

    /// Its files, in the order of their names.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn files(&self, test: &TestContext) -> Result<Vec<PathBuf>> {
        let (path, word) = (self.path(test), self.word);
        let entries = fs::read_dir(&path).context(|| format!("failed to read the {word} in {}", path.display()));
        let entries = entries.map_err(|error| {
            error.hint(format!(
                "`{word} = \"…\"` is a folder relative to the package, the one with the test's Cargo.toml"
            ))
        })?;
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == self.extension))
            .collect();
        files.sort();
        Ok(files)
    }
}

/// A fixture file.
#[derive(Debug, Clone)]
pub struct File {
    pub(super) name: String,
    pub(super) extension: &'static str,
}

impl File {
    /// Where it is.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn path(&self, test: &TestContext) -> Result<PathBuf> {
        let Self { name, extension } = self;
        let folder = test.source_file.parent().unwrap_or(&test.package_dir);
        let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|found| found == *extension);
        let path = if is_path {
            folder.join(name)
        } else {
            folder.join("fixtures").join(format!("{name}.{extension}"))
        };
        if path.is_file() {
            return Ok(path);
        }
        Err(
            Error::new(format!("the fixture `{name}` is not there: {}", path.display())).hint(format!(
                "`fixtures(\"users\")` is the file fixtures/users.{extension} next to the test's own file"
            )),
        )
    }

    /// What is in it, without the byte order mark that some editors write and no server understands.
    ///
    /// # Errors
    /// When it can't be read, or isn't UTF-8.
    pub fn text(&self, test: &TestContext) -> Result<String> {
        let path = self.path(test)?;
        let whole = String::from_utf8(read(&path)?).context(|| format!("{} is not valid UTF-8", path.display()))?;
        Ok(whole.trim_start_matches('\u{feff}').to_owned())
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context(|| format!("failed to read {}", path.display()))
}
