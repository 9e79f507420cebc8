//! Where one supervisor lives: its folder, its socket, its lock.
//!
//! ```text
//! BASE/              one a user, mode 0700
//!   KEY.lock         held (flock) by the supervisor and its janitor, until the last of their leavings is gone
//!   KEY/             socket, log and state
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::naming::random_hex;
use crate::os;
use crate::spec::{Fingerprint, FingerprintBuilder};

/// The longest path of a Unix socket that every system takes (macOS: 104 with the final zero).
const SOCKET_PATH_LIMIT: usize = 103;

/// A file or folder, whatever its path names later: device and inode.
pub(crate) type Identity = (u64, u64);

pub(crate) fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    base: PathBuf,
    key: String,
}

impl Home {
    /// The home of the supervisor with this key, below `wanted` or the user's runtime folder.
    pub(crate) fn locate(wanted: Option<&Path>, key: &Fingerprint) -> Result<Self> {
        let temporary = os::temporary_folder();
        if !temporary.is_absolute() {
            return Err(Error::new(format!(
                "bad value `{}` for TMPDIR: it is not an absolute path, and the supervisor works in another folder",
                temporary.display()
            ))
            .hint("set TMPDIR to an absolute path, or unset it"));
        }
        let base = wanted.map_or_else(default_base, Path::to_owned);
        // The key also names folders outside the base: what lies there under it must be this home's, and no other's.
        let mut within = FingerprintBuilder::new("home");
        within
            .bytes(base.as_os_str().as_encoded_bytes())
            .text(key.short(KEY_LENGTH));
        let home = Self {
            key: within.finish().short(KEY_LENGTH).to_owned(),
            base,
        };
        let length = home.socket().as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            return Err(Error::new(format!(
                "the path of the supervisor's socket has {length} bytes, and {SOCKET_PATH_LIMIT} are the limit: {}",
                home.socket().display()
            ))
            .hint("set ITEST_DIR to a folder with a shorter path"));
        }
        Ok(home)
    }

    /// The same home, as the supervisor was told it.
    pub(crate) fn told(base: PathBuf, key: String) -> Self {
        Self { base, key }
    }

    /// A home next to it that only this process knows.
    pub(crate) fn of_this_process(&self) -> Self {
        Self {
            base: self.base.clone(),
            key: random_hex(6),
        }
    }

    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Every other home of the same user: a folder may be left without its lock, or a lock without its folder.
    pub(crate) fn neighbours(&self) -> Vec<Self> {
        let entries = fs::read_dir(&self.base).into_iter().flatten().flatten();
        let keys: BTreeSet<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .map(|name| name.strip_suffix(".lock").map_or(name.clone(), str::to_owned))
            .filter(|key| is_key(key) && *key != self.key)
            .collect();
        keys.into_iter()
            .map(|key| Self {
                base: self.base.clone(),
                key,
            })
            .collect()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.base.join(&self.key)
    }

    /// What its folder is known by while it is there: another one may come to lie under the same path.
    pub(crate) fn identity(&self) -> Option<Identity> {
        fs::metadata(self.dir()).ok().map(|folder| identity(&folder))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir().join("socket")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir().join("log")
    }

    /// The mark of a process that has become the supervisor, and needs time to listen.
    pub(crate) fn begun(&self) -> PathBuf {
        self.dir().join("begun")
    }

    /// Files for tests.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir().join("files")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir().join("state.json")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.base.join(format!("{}.lock", self.key))
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        loop {
            ensure_base(&self.base)?;
            let path = self.lock_path();
            let open = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path);
            let file = match open {
                Ok(file) => file,
                // The base folder was removed by a janitor a moment ago.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error)
                        .context(|| format!("failed to open {}", path.display()))
                        .map_err(|error| error.hint("set ITEST_DIR to a folder in which you may create files"));
                }
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(error).context(|| format!("failed to lock {}", path.display()));
                }
            }
            // The janitor removes the file before it lets go of the lock: what we hold must be what the path names.
            let ours = file
                .metadata()
                .context(|| format!("failed to look at {}", path.display()))?;
            if fs::metadata(&path).is_ok_and(|named| identity(&named) == identity(&ours)) {
                return Ok(Some(file));
            }
        }
    }
}

/// How long a home's key is: it is in the path of a socket.
const KEY_LENGTH: usize = 12;

/// Whether a name may be a home's key.
pub(crate) fn is_key(name: &str) -> bool {
    name.len() == KEY_LENGTH && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// `$XDG_RUNTIME_DIR/itest` where that is the user's own, else a folder of the user's in the folder for temporary files.
fn default_base() -> PathBuf {
    os::variable("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        // The XDG convention says to ignore a relative one.
        .filter(|folder| folder.is_absolute())
        .filter(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid()))
        .map_or_else(
            || os::temporary_folder().join(format!("itest-{}", uid())),
            |folder| folder.join("itest"),
        )
}

fn ensure_base(base: &Path) -> Result<()> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(base) {
        Ok(()) => check_base(base),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_base(base),
        Err(error) => Err(error)
            .context(|| format!("failed to create {}", base.display()))
            .map_err(|error| error.hint("set ITEST_DIR to a folder that can be created")),
    }
}

/// A folder in a place where everybody may write must be ours, and closed to all others.
fn check_base(base: &Path) -> Result<()> {
    let metadata = match fs::symlink_metadata(base) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context(|| format!("failed to look at {}", base.display())),
    };
    let elsewhere = "set ITEST_DIR to a folder that is yours alone, or that isn't there yet";
    let (problem, hint) = if !metadata.is_dir() {
        ("is not a folder".to_owned(), elsewhere.to_owned())
    } else if metadata.uid() != uid() {
        let problem = format!("belongs to user {}, not to you (user {})", metadata.uid(), uid());
        (problem, elsewhere.to_owned())
    } else if metadata.mode() & 0o077 != 0 {
        let problem = format!(
            "is open to other users (mode {:o}, wanted 700)",
            metadata.mode() & 0o777
        );
        let hint = format!(
            "{elsewhere}; or run `chmod 700 {}` if nobody else needs it",
            base.display()
        );
        (problem, hint)
    } else {
        return Ok(());
    };
    Err(Error::new(format!("the supervisors' folder {} {problem}", base.display())).hint(hint))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn home(base: &Path) -> Result<Home> {
        Home::locate(Some(base), &FingerprintBuilder::new("test").finish())
    }

    #[test]
    fn two_bases_never_share_the_name_of_a_data_folder() {
        let key = |base: &str| home(Path::new(base)).expect("short enough").key().to_owned();
        assert_ne!(key("/tmp/a"), key("/tmp/b"));
        assert_eq!(key("/tmp/a"), key("/tmp/a"));
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let base = tempfile::tempdir().expect("a folder");
        let home = home(&base.path().join("base")).expect("short enough");
        let first = home.try_lock().expect("it works");
        assert!(first.is_some());
        assert!(home.try_lock().expect("it works").is_none());
        drop(first);
        assert!(home.try_lock().expect("it works").is_some());
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_refused() {
        let base = tempfile::tempdir().expect("a folder");
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let error = home(base.path())
            .expect("short enough")
            .try_lock()
            .expect_err("refused")
            .render();
        assert!(error.contains("mode 755") && error.contains("chmod 700"), "{error}");
    }

    #[test]
    fn a_neighbour_is_known_by_its_lock_or_its_folder_and_nothing_else_is_one() {
        let base = tempfile::tempdir().expect("a folder");
        let own = home(base.path()).expect("short enough");
        for name in [own.key(), "0123456789ab.lock", "cache", "notes.lock"] {
            fs::write(base.path().join(name), "").expect("written");
        }
        for name in ["0123456789ab", "ba9876543210"] {
            fs::create_dir(base.path().join(name)).expect("made");
        }
        let keys: Vec<_> = own.neighbours().into_iter().map(|home| home.key).collect();
        assert_eq!(keys, ["0123456789ab", "ba9876543210"]);
    }

    #[test]
    fn a_file_in_the_folders_place_is_refused() {
        let base = tempfile::tempdir().expect("a folder");
        let file = base.path().join("file");
        fs::write(&file, "").expect("written");
        let error = home(&file)
            .expect("short enough")
            .try_lock()
            .expect_err("refused")
            .render();
        assert!(
            error.contains("is not a folder") && error.contains("ITEST_DIR"),
            "{error}"
        );
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let error = home(Path::new(&format!("/tmp/{}", "long/".repeat(30))))
            .expect_err("refused")
            .render();
        assert!(error.contains("ITEST_DIR"), "{error}");
    }
}
