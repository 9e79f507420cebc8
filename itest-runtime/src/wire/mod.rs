//! What a test process and the supervisor say to each other, over one Unix socket connection, which is the lease.
//!
//! The client opens with [`ToSupervisor::Open`]; the supervisor answers with progress, requests to build templates, and
//! at last with the grants or a failure. When the connection ends, however it ends, the lease is over.

mod frame;
mod variables;

pub(crate) use frame::{FrameReader, FrameWriter};
pub(crate) use variables::SUPERVISE;
#[cfg(feature = "docker")]
pub(crate) use variables::{BEHIND, SWEEP};

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::os::ProcessId;
use crate::spec::{Request, Stage, Used};

/// This build of the runtime: only equal builds talk to each other.
pub(crate) const BUILD: &str = env!("ITEST_RUNTIME_BUILD");

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToSupervisor {
    Open(Open),
    /// The template of request `index` is built, or couldn't be.
    Built {
        index: usize,
        outcome: Result<(), Error>,
    },
    /// What does the server's log say about my slices?
    Diagnose,
    /// The lease ends; one entry for each request.
    Close {
        used: Vec<Used>,
        keep: Option<Duration>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) build: String,
    pub(crate) exe: ExeStamp,
    pub(crate) anchor: ProcessId,
    pub(crate) test: String,
    pub(crate) requests: Vec<Request>,
}

/// Which program, and which state of it: a rebuilt test binary is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExeStamp {
    pub(crate) path: PathBuf,
    pub(crate) modified: Duration,
    pub(crate) length: u64,
}

impl ExeStamp {
    /// This process's own, as it was when somebody first asked: the file may be replaced while we run.
    pub(crate) fn own() -> &'static Self {
        static OWN: OnceLock<ExeStamp> = OnceLock::new();
        OWN.get_or_init(|| Self::of(std::env::current_exe().unwrap_or_default()))
    }

    fn of(path: PathBuf) -> Self {
        let metadata = std::fs::metadata(&path).ok();
        let modified = metadata
            .as_ref()
            .and_then(|metadata| metadata.modified().ok())
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .unwrap_or_default();
        Self {
            path,
            modified,
            length: metadata.map_or(0, |metadata| metadata.len()),
        }
    }

    /// Whether `other` is the same program, rebuilt. A program that was built before is served: its process runs on, and
    /// would start a supervisor that the next test of the new build replaces again.
    pub(crate) fn is_replaced_by(&self, other: &Self) -> bool {
        self.path == other.path && self != other && other.modified >= self.modified
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSupervisor {
    /// I run an older state of your program: I end with my last lease; start another supervisor.
    Superseded { pid: u32, leases: usize },
    /// My program knows no service of these requests' code: somebody else is to be asked for them. Nothing is leased.
    Unknown { indices: Vec<usize> },
    /// Something that takes a while goes on.
    Progress(String),
    /// Nothing is new, and the supervisor lives.
    Alive,
    /// Build this part of the template of request `index` in this slice.
    Build { index: usize, stage: Stage, grant: Value },
    /// One grant for each request.
    Granted(Vec<Value>),
    /// Request `index` can't be met.
    Failed { index: usize, error: Error },
    /// One entry for each request.
    Diagnosis(Vec<SliceDiagnosis>),
}

/// What the supervisor knows of one slice of a test that failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SliceDiagnosis {
    /// The lines of the server's log that are about this lease alone.
    pub(crate) log: Vec<String>,
    /// What the server was doing for it when it failed.
    pub(crate) busy_with: Vec<String>,
    /// What the lease has on the server.
    pub(crate) holds: Vec<String>,
    /// How the server died, if it did while the lease was open.
    pub(crate) death: Option<Error>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_built_later_replaces_a_program() {
        let built = |path: &str, at| ExeStamp {
            path: path.into(),
            modified: Duration::from_secs(at),
            length: at,
        };
        let running = built("/target/a", 2);
        assert!(running.is_replaced_by(&built("/target/a", 3)));
        assert!(!running.is_replaced_by(&running));
        assert!(!running.is_replaced_by(&built("/target/a", 1)));
        assert!(!running.is_replaced_by(&built("/target/b", 3)));
    }
}
