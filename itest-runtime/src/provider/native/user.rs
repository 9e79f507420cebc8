//! Which user a server runs as: some refuse to run as root.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Uid};

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

    /// Hands a file or folder over to the server's user. A link is never followed: whoever runs as that user could have put
    /// it there.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        if matches!(self, Self::Own) {
            return Ok(());
        }
        let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let opened = opened.map_err(std::io::Error::from);
        self.own_open(&opened.context(|| not_handed_over(path))?, path)
    }

    /// The same for what is open already; `path` is for messages alone.
    pub(super) fn own_open(self, file: &impl AsFd, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(std::io::Error::from)
                .context(|| not_handed_over(path)),
        }
    }

    /// Hands over all that is in a folder, which nobody else can enter yet, and then the folder.
    pub(super) fn own_all(self, folder: &Path) -> Result<()> {
        if matches!(self, Self::Own) {
            return Ok(());
        }
        for entry in fs::read_dir(folder).context(|| not_handed_over(folder))? {
            let entry = entry.context(|| not_handed_over(folder))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.own_all(&entry.path())?;
            } else {
                self.own(&entry.path())?;
            }
        }
        self.own(folder)
    }
}

fn not_handed_over(path: &Path) -> String {
    format!("failed to hand {} over to the server's user", path.display())
}

/// `id` asks every source of users that the machine has. A test's `PATH` may not lead to it.
fn id(flag: &str, name: &str) -> Option<u32> {
    let run = |program: &&str| Command::new(program).args([flag, name]).output().ok();
    let output = ["id", "/usr/bin/id", "/bin/id"].iter().find_map(run)?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_never_handed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "ours").expect("a file");
        symlink(&file, &link).expect("a link");
        let own = rustix::process::geteuid().as_raw();
        let user = ServerUser::Other {
            uid: own,
            gid: rustix::process::getegid().as_raw(),
        };
        user.own(&file).expect("it is handed over to its own user");
        let error = user.own(&link).expect_err("it is a link").to_string();
        assert!(error.contains("failed to hand"), "{error}");
        user.own_all(folder.path()).expect_err("there is a link in it");
    }
}
