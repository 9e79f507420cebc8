//! Which user a server runs as: some refuse to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::{Context, Error, Result};

/// Tried in this order when the tests run as root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

#[derive(Debug, Clone, Copy)]
pub(super) enum ServerUser {
    /// The one that runs the tests.
    Own,
    Other {
        uid: u32,
        gid: u32,
    },
}

impl ServerUser {
    pub(super) fn choose(refuses_root: bool, wanted: Option<&str>) -> Result<Self> {
        if !refuses_root || !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let candidates: Vec<&str> = wanted.map_or_else(|| CANDIDATES.to_vec(), |name| vec![name]);
        candidates
            .iter()
            .find_map(|name| {
                Some(Self::Other {
                    uid: id("-u", name)?,
                    gid: id("-g", name)?,
                })
            })
            .filter(|user| !matches!(user, Self::Other { uid: 0, .. }))
            .ok_or_else(|| {
                Error::new(format!(
                    "this server refuses to run as root, and there is no other user to run it as (tried: {})",
                    candidates.join(", ")
                ))
                .hint("set ITEST_SERVER_USER to a user that isn't root, or don't run the tests as root")
            })
    }

    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Says who was denied access, if that is another user than the one who runs the tests.
    pub(super) fn explain(self, error: Error, program: &Path, folder: &Path) -> Error {
        match self {
            Self::Other { uid, .. } if error.to_string().contains("Permission denied") => error.hint(format!(
                "it refuses to run as root, so it runs as the user {uid}, who must get through to {} and to {}: open the folders \
                 on the way, or set ITEST_DATA_DIR or ITEST_SERVER_USER",
                program.display(),
                folder.display()
            )),
            Self::Own | Self::Other { .. } => error,
        }
    }

    /// Hands a file or folder over to the server's user.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .context(|| format!("failed to hand {} over to the server's user", path.display())),
        }
    }
}

/// `id` asks every source of users that the machine has. A test's `PATH` may not lead to it.
fn id(flag: &str, name: &str) -> Option<u32> {
    let run = |program: &&str| Command::new(program).args([flag, name]).output().ok();
    let output = ["id", "/usr/bin/id", "/bin/id"].iter().find_map(run)?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
