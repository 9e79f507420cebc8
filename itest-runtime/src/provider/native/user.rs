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

    /// Hands a file or folder over to the server's user.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .context(|| format!("failed to hand {} over to the server's user", path.display())),
        }
    }
}

/// `id` asks every source of users that the machine has.
fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
