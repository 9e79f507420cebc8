//! A server's log file.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::error::{Context, Result};

/// More than this isn't read for one diagnosis.
const MOST: u64 = 4 << 20;

/// As many lines are a server's last words.
const LAST: usize = 12;

#[derive(Debug, Clone)]
pub(crate) struct Log(PathBuf);

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    #[cfg(feature = "native")]
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Opened for appending: two handles write to it.
    pub(super) fn create(&self) -> Result<File> {
        fs::OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&self.0)
            .context(|| format!("failed to create {}", self.0.display()))
    }

    pub(crate) fn length(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn since(&self, offset: u64) -> Vec<String> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.0)?;
            file.seek(SeekFrom::Start(offset.max(self.length().saturating_sub(MOST))))?;
            let mut bytes = Vec::new();
            file.take(MOST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// The last few lines.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let mut all = self.since(self.length().saturating_sub(64 << 10));
        all.split_off(all.len().saturating_sub(LAST))
    }
}
