//! A supervisor of one's own, in a folder that goes with all that is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::fault::{Fault, fault};

/// How long a supervisor may take to end.
const ENDS: Duration = Duration::from_secs(20);

pub(crate) struct Own(TempDir);

impl Own {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("own").tempdir().expect("a folder");
        // Where the tests run as root, the servers' user must get through to their data.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::create_dir(folder.path().join("data")).expect("it is ours");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.path("dir")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A test with a supervisor of its own. Prepared data is shared by all: making it takes a second.
    pub(crate) fn fault(&self, test: &'static str) -> Fault {
        fault(test)
            .with("ITEST_DIR", self.dir())
            .with("ITEST_DATA_DIR", self.data())
            .with("ITEST_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
    }

    /// The same, with servers that are processes of this machine.
    pub(crate) fn native(&self, test: &'static str) -> Fault {
        self.fault(test).with("ITEST_PROVIDER", "native")
    }

    /// A folder with scripts in place of programs.
    pub(crate) fn scripts(&self, scripts: &[(&str, &str)]) -> PathBuf {
        let folder = self.path("bin");
        fs::create_dir_all(&folder).expect("it is ours");
        for (name, script) in scripts {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is ours");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        folder
    }

    /// The folders of the supervisors that live here.
    pub(crate) fn homes(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// What the supervisor in `home` wrote of itself.
    pub(crate) fn supervisor(home: &Path) -> Option<u64> {
        let state: Value = serde_json::from_slice(&fs::read(home.join("state.json")).ok()?).ok()?;
        state["supervisor"]["pid"].as_u64()
    }
}

/// Their anchor, the run of all tests, is still there: they would wait for it.
impl Drop for Own {
    fn drop(&mut self) {
        for home in self.homes() {
            if let Some(pid) = Self::supervisor(&home) {
                send("TERM", pid);
            }
        }
        let deadline = Instant::now() + ENDS;
        while !self.homes().is_empty() {
            if Instant::now() > deadline {
                let left = self.homes();
                assert!(
                    std::thread::panicking(),
                    "a supervisor was told to end, and left {left:?}"
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let left: Vec<_> = fs::read_dir(self.data()).into_iter().flatten().flatten().collect();
        assert!(left.is_empty() || std::thread::panicking(), "servers left {left:?}");
    }
}

/// Sends a signal to a process that one of these tests started.
pub(crate) fn send(signal: &str, pid: u64) {
    let killed = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(killed.is_ok(), "{killed:?}");
}
