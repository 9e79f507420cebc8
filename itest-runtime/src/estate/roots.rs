//! Roots: the folders in which a supervisor's servers get theirs. In memory where that is large enough.

use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::harvest::{in_background, remove_root};
use super::janitor::Janitor;
use super::state::StateFile;
use crate::error::{Context, Error, Result};
use crate::home::is_key;
use crate::naming::random_hex;
use crate::os::{self, ProcessId};

/// In many CI containers `/dev/shm` has 64 MB: too little for a server's data.
const MEMORY: &str = "/dev/shm";
const ENOUGH: u64 = 512 << 20;
/// The file in a root that its owner holds a lock on.
const MARK: &str = "owner.lock";
/// A root may lack its mark for a moment. One without it is never taken for somebody's before that.
const YOUNG: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub(crate) struct Roots {
    key: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    janitor: Janitor,
    state: StateFile,
    made: HashMap<Option<PathBuf>, PathBuf>,
    /// Held as long as we live.
    marks: Vec<fs::File>,
}

impl Roots {
    pub(crate) fn new(key: &str, janitor: Janitor, state: StateFile) -> Self {
        Self {
            key: key.to_owned(),
            inner: Arc::new(Mutex::new(Inner {
                janitor,
                state,
                made: HashMap::new(),
                marks: Vec::new(),
            })),
        }
    }

    /// The folder for servers' data, below the folder that a person set or else in the best place there is.
    pub(crate) fn data_root(&self, wanted: Option<&Path>) -> Result<PathBuf> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted.map(Path::to_owned);
        if let Some(made) = inner.made.get(&wanted) {
            return Ok(made.clone());
        }
        let root = match &wanted {
            Some(folder) => {
                let made = inner.create(&folder.join(name(&self.key))).map_err(|error| {
                    error.hint("ITEST_DATA_DIR must name an existing folder in which you may create others")
                })?;
                let folder = folder.clone();
                in_background(move || remove_orphans(&folder));
                made
            }
            None => {
                let mut failure = Error::new("there is no place for servers' data");
                let made = places().into_iter().find_map(|folder| {
                    inner
                        .create(&folder.join(name(&self.key)))
                        .map_err(|error| failure = error)
                        .ok()
                });
                made.ok_or_else(|| failure.hint("set ITEST_DATA_DIR to a folder in which you may create others"))?
            }
        };
        inner.made.insert(wanted, root.clone());
        Ok(root)
    }

    /// A standard input, never to be read, for a child that needs its folder until it ends, whenever we do.
    pub(crate) fn hold(&self) -> Result<Stdio> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.janitor.wait_for()
    }

    /// Remembers a server for those who clean up.
    pub(crate) fn add_server(&self, server: ProcessId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = inner.state.change(|state| {
            state.servers.retain(|server| server.is_alive());
            state.servers.push(server);
            state.servers.clone()
        });
        if let Err(error) = inner.janitor.end(&servers) {
            tracing::warn!(%error, "failed to tell the janitor of a server");
        }
    }

    /// Remembers for those who clean up what this run has on the container engine.
    #[cfg(feature = "docker")]
    pub(crate) fn expect_container(&self, run: &str, name: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let known = inner.state.change(|state| {
            state.containers.push(name.to_owned());
            state.containers.len()
        });
        if known == 1 {
            inner.tell_of_containers(Some(run));
        }
    }

    /// What is no more on the container engine.
    #[cfg(feature = "docker")]
    pub(crate) fn forget_container(&self, name: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .state
            .change(|state| state.containers.retain(|known| known != name));
    }

    /// Nothing of ours is on the container engine any more.
    #[cfg(feature = "docker")]
    pub(crate) fn no_containers(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.state.change(|state| state.containers.clear());
        inner.tell_of_containers(None);
    }
}

/// A folder for a while, for a process that is not a supervisor. If that dies first, the next supervisor removes the folder.
#[cfg(feature = "docker")]
#[derive(Debug)]
pub(crate) struct Spare {
    path: PathBuf,
    /// Held as long as we live.
    _mark: fs::File,
}

#[cfg(feature = "docker")]
impl Spare {
    pub(crate) fn create() -> Result<Self> {
        let mut failure = Error::new("there is no place for a folder");
        let made = places().into_iter().find_map(|folder| {
            let path = folder.join(name(&random_hex(6)));
            let made = fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .and_then(|()| mark(&path, ""));
            match made.context(|| format!("failed to create {}", path.display())) {
                Ok(mark) => Some(Self { path, _mark: mark }),
                Err(error) => {
                    failure = error;
                    None
                }
            }
        });
        made.ok_or(failure)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(feature = "docker")]
impl Drop for Spare {
    fn drop(&mut self) {
        super::harvest::remove(&self.path);
    }
}

impl Inner {
    #[cfg(feature = "docker")]
    fn tell_of_containers(&mut self, run: Option<&str>) {
        if let Err(error) = self.janitor.sweep(run) {
            tracing::warn!(%error, "failed to tell the janitor of containers");
        }
    }

    fn create(&mut self, root: &Path) -> Result<PathBuf> {
        // Whoever lost its home, and its lock with that, may be living under our name.
        let root = &if is_held(root) {
            root.with_file_name(name(&random_hex(6)))
        } else {
            root.to_owned()
        };
        self.janitor.remove(root)?;
        self.state.change(|state| state.roots.push(root.to_owned()));
        // Servers that run as another user must get through to their own folders, which are closed to all others.
        let mode = if rustix::process::geteuid().is_root() {
            0o711
        } else {
            0o700
        };
        // The umask of a test that has its supervisor within itself must not narrow it.
        let create = || {
            fs::DirBuilder::new().mode(0o700).create(root)?;
            fs::set_permissions(root, fs::Permissions::from_mode(mode))
        };
        let created = match create() {
            // We hold the lock: what lies there under our name is a dead supervisor's, or one's in another container.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_ours(root) && !is_held(root) => {
                let aside = put_aside(root);
                in_background(move || remove_root(&aside));
                create()
            }
            other => other,
        };
        created.context(|| format!("failed to create {}", root.display()))?;
        let mark = mark(root, self.janitor.token()).context(|| format!("failed to mark {} as ours", root.display()))?;
        self.marks.push(mark);
        Ok(root.to_owned())
    }
}

/// The mark is locked before it is there. It says whose the root is, for a janitor.
fn mark(root: &Path, token: &str) -> std::io::Result<fs::File> {
    let draft = root.join("owner.draft");
    let mut mark = fs::File::create(&draft)?;
    mark.write_all(token.as_bytes())?;
    mark.lock()?;
    fs::rename(draft, root.join(MARK))?;
    Ok(mark)
}

/// Whether a living supervisor has marked the folder as its own.
fn is_held(root: &Path) -> bool {
    fs::File::open(root.join(MARK)).is_ok_and(|mark| mark.try_lock().is_err())
}

fn is_ours(root: &Path) -> bool {
    fs::symlink_metadata(root)
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw())
}

fn prefix() -> String {
    format!("itest-{}-", rustix::process::geteuid().as_raw())
}

fn name(key: &str) -> String {
    format!("{}{key}", prefix())
}

/// Whether a path has the name of a root: nothing else is ever removed, on a state file's word or without.
fn is_one(path: &Path) -> bool {
    let key = path
        .file_name()
        .and_then(|name| name.to_str()?.strip_prefix(&prefix()).map(str::to_owned));
    key.is_some_and(|key| is_key(&key)) && is_ours(path)
}

/// Whether a root is there, and its owner is gone: for those who hold the lock of its home.
pub(super) fn is_left(path: &Path) -> bool {
    is_one(path) && !is_held(path)
}

/// Gives what a dead supervisor left another name, so that its own is free, and tells where it is now. Should this process
/// die before it is removed, it is known as an orphan.
pub(super) fn put_aside(root: &Path) -> PathBuf {
    let aside = root.with_file_name(name(&random_hex(6)));
    match fs::rename(root, &aside) {
        Ok(()) => aside,
        Err(_) => root.to_owned(),
    }
}

/// Where roots lie unless a person said otherwise.
pub(super) fn usual(key: &str) -> Vec<PathBuf> {
    [PathBuf::from(MEMORY), os::temporary_folder()]
        .iter()
        .map(|folder| folder.join(name(key)))
        .filter(|path| is_left(path))
        .collect()
}

/// Removes the roots in the usual places whose owners are dead, wherever those had their homes.
pub(super) fn remove_all_orphans() {
    for folder in [PathBuf::from(MEMORY), os::temporary_folder()] {
        remove_orphans(&folder);
    }
}

fn remove_orphans(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| is_one(path) && is_orphan(path))
        .for_each(|orphan| remove_root(&orphan));
}

/// The mark is locked from the moment it is there until the owner dies, which also holds across containers that share the
/// folder, where pids mean nothing. A root without a mark is just being made, or old.
fn is_orphan(root: &Path) -> bool {
    match fs::File::open(root.join(MARK)) {
        Ok(mark) => mark.try_lock().is_ok(),
        Err(_) => fs::metadata(root)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > YOUNG)),
    }
}

fn places() -> Vec<PathBuf> {
    let memory = rustix::fs::statvfs(MEMORY)
        .ok()
        .filter(|stat| stat.f_bavail * stat.f_frsize >= ENOUGH);
    memory
        .map(|_| PathBuf::from(MEMORY))
        .into_iter()
        .chain([os::temporary_folder()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_leaves_its_name_free_and_is_known_as_an_orphan() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join(name("0123456789ab"));
        fs::create_dir(&root).expect("made");
        fs::write(root.join("data"), "much").expect("written");
        drop(mark(&root, "token").expect("marked"));
        let aside = put_aside(&root);
        assert!(!root.exists() && aside.join("data").is_file());
        assert!(is_one(&aside) && is_orphan(&aside));
        remove_orphans(folder.path());
        assert!(!aside.exists());
    }
}
