//! Data folders that are kept between runs, in the cache folder: `initdb` takes 0.6 to 1 s, unpacking what it made 0.1 s.
//!
//! Each is one archive: to a disk, thousands of small files take ten times as long.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Dir, Mode, OFlags};
use tar::{Archive, Builder, Header};

use super::create_private_dir;
use super::user::ServerUser;
use crate::error::{Context, Error, Result};
use crate::naming::random_hex;

const ENDING: &str = ".tar";
/// What follows the ending of one that isn't complete.
const DRAFT: &str = ".draft-";
/// No packing takes that long.
const OLD: Duration = Duration::from_mins(10);
/// What nobody has used for so long goes.
const UNUSED: Duration = Duration::from_hours(30 * 24);
/// How many are kept that servers have used: a workspace needs one for each server that its tests ask for.
const MOST: usize = 8;
/// More than this isn't kept: it would cost more than making another.
const LARGE: u64 = 1 << 30;
const BUFFER: usize = 256 << 10;

/// A data folder that is kept, or may be.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: PathBuf,
    name: String,
}

impl Kept {
    /// `name` says all that shapes the content, but for what servers do with it.
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        }
    }

    /// What a server has left that began with this one: `user` says whose.
    pub(super) fn with(&self, user: &str) -> Self {
        Self::new(&self.folder, &format!("{}-{user}", self.name))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}{ENDING}", self.name))
    }

    pub(super) fn is_there(&self) -> bool {
        self.path().is_file()
    }

    pub(super) fn remove(&self) -> std::io::Result<()> {
        fs::remove_file(self.path())
    }

    /// Makes a server's data folder of it.
    pub(super) fn unpack(&self, data: &Path, user: ServerUser) -> Result<()> {
        // All of it is ours until nothing more is written by its path.
        let failed = || format!("failed to unpack {} to {}", self.path().display(), data.display());
        let archive = File::open(self.path()).context(failed)?;
        // Only those go that nobody uses.
        let _ = archive.set_modified(SystemTime::now());
        remove_old(&self.folder);
        create_private_dir(data).context(failed)?;
        let mut archive = Archive::new(BufReader::with_capacity(BUFFER, archive));
        for entry in archive.entries().context(failed)? {
            let mut entry = entry.context(failed)?;
            let path = entry.path().context(failed)?;
            if path.components().any(|part| !matches!(part, Component::Normal(_))) {
                return Err(Error::new(format!("{} is nowhere in it", path.display()))).context(failed);
            }
            let target = data.join(path);
            if entry.header().entry_type().is_dir() {
                create_private_dir(&target).context(failed)?;
            } else {
                let mut options = OpenOptions::new();
                let mut file = options
                    .create_new(true)
                    .write(true)
                    .mode(0o600)
                    .open(&target)
                    .context(failed)?;
                io::copy(&mut entry, &mut file).context(failed)?;
            }
        }
        user.own_all(data)
    }

    /// Keeps a data folder, at once or not at all: several supervisors may do so at a time.
    pub(super) fn pack(&self, data: &Path) -> Result<()> {
        if size_of(data) > LARGE {
            return Err(Error::new(format!("{} is too large", data.display())));
        }
        let failed = || format!("failed to pack {} as {}", data.display(), self.path().display());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .context(failed)?;
        let draft = self
            .folder
            .join(format!("{}{ENDING}{DRAFT}{}", self.name, random_hex(4)));
        let done = pack(data, &draft).and_then(|()| fs::rename(&draft, self.path()));
        if done.is_err() {
            let _ = fs::remove_file(&draft);
        }
        remove_old(&self.folder);
        done.context(failed)
    }
}

fn pack(data: &Path, draft: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(draft)?;
    let mut archive = Builder::new(BufWriter::with_capacity(BUFFER, file));
    let folder = rustix::fs::open(data, FOLLOW_NOTHING | OFlags::DIRECTORY, Mode::empty())?;
    pack_folder(&mut archive, &folder, Path::new(""))?;
    archive.into_inner()?.flush()
}

/// The folder may be another user's, and we may be root: nothing there is opened by a path that a link could bend.
const FOLLOW_NOTHING: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

fn pack_folder(archive: &mut Builder<impl Write>, folder: &OwnedFd, within: &Path) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let path = within.join(name);
        let opened = rustix::fs::openat(folder, entry.file_name(), FOLLOW_NOTHING, Mode::empty());
        let file = File::from(opened.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?);
        let metadata = file.metadata()?;
        let mut header = Header::new_gnu();
        header.set_metadata(&metadata);
        if metadata.is_dir() {
            archive.append_data(&mut header, &path, io::empty())?;
            pack_folder(archive, &file.into(), &path)?;
        } else if metadata.is_file() {
            archive.append_data(&mut header, &path, file)?;
        } else {
            return Err(io::Error::other(format!("{} is not a file", path.display())));
        }
    }
    Ok(())
}

/// Removes what a supervisor that was killed left half done, and what nobody uses any more. The folder may be a person's:
/// whatever has another name than ours is left alone.
fn remove_old(folder: &Path) {
    let mut used = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let (Some(what), Ok(modified)) = (
            What::of(&path),
            entry.metadata().and_then(|metadata| metadata.modified()),
        ) else {
            continue;
        };
        let age = modified.elapsed().unwrap_or_default();
        let is_old = match what {
            What::Draft => age > OLD,
            What::Fresh | What::Used => age > UNUSED,
        };
        if is_old {
            let _ = fs::remove_file(path);
        } else if what == What::Used {
            used.push((age, path));
        }
    }
    used.sort_unstable();
    for (_, path) in used.into_iter().skip(MOST) {
        let _ = fs::remove_file(path);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Draft,
    Fresh,
    Used,
}

impl What {
    /// Names are `PROGRAM-KEY.tar` and `PROGRAM-KEY-HOME-SERVER.tar`, all but the program hexadecimal.
    fn of(path: &Path) -> Option<Self> {
        let (name, ending) = path.file_name()?.to_str()?.split_once(ENDING)?;
        let parts: Vec<&str> = name.split('-').skip(1).collect();
        let is_hex = |part: &&str| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_ours = parts.iter().all(is_hex);
        match (ending, parts.len()) {
            (_, 1 | 3) if is_ours && ending.starts_with(DRAFT) => Some(Self::Draft),
            ("", 1) if is_ours => Some(Self::Fresh),
            ("", 3) if is_ours => Some(Self::Used),
            _ => None,
        }
    }
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_our_names_is_ever_removed() {
        let what = |name: &str| What::of(Path::new(name));
        assert_eq!(what("/c/initdb-0123456789abcdef.tar"), Some(What::Fresh));
        assert_eq!(
            what("/c/initdb-0123456789abcdef-0123456789ab-0123456789ab.tar"),
            Some(What::Used)
        );
        assert_eq!(what("/c/initdb-0123456789abcdef.tar.draft-01ab"), Some(What::Draft));
        for other in [
            "/c/photos.tar",
            "/c/my-photos.tar",
            "/c/photos-2026.tar",
            "/c/initdb-0123456789abcdef.zip",
            "/c/initdb-0123456789abcdef.tar.gz",
            "/c/initdb-0123456789abcdef",
            "/c/initdb-.tar",
        ] {
            assert_eq!(what(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let cache = tempfile::tempdir().expect("a folder");
        let (data, again) = (cache.path().join("data"), cache.path().join("again"));
        fs::create_dir_all(data.join("base/empty")).expect("it is ours");
        let large: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(data.join("base/1"), &large).expect("it is ours");
        fs::write(data.join("version"), "15").expect("it is ours");
        let kept = Kept::new(cache.path(), "initdb-0123456789abcdef");
        kept.pack(&data).expect("it can be packed");
        kept.unpack(&again, ServerUser::Own).expect("it can be unpacked");
        assert_eq!(fs::read(again.join("base/1")).expect("it is there"), large);
        assert_eq!(fs::read(again.join("version")).expect("it is there"), b"15");
        assert!(again.join("base/empty").is_dir());
    }

    #[test]
    fn the_latest_are_kept_and_half_ones_go() {
        let cache = tempfile::tempdir().expect("a folder");
        let data = cache.path().join("data");
        fs::create_dir(&data).expect("it is ours");
        let age = |path: &Path, age: Duration| {
            let modified = SystemTime::now().checked_sub(age).expect("clocks go back that far");
            let touched = File::open(path).and_then(|file| file.set_modified(modified));
            touched.expect("it is ours");
        };
        let fresh = Kept::new(cache.path(), "initdb-0123456789abcdef");
        fresh.pack(&data).expect("it can be packed");
        let used = |number: usize| fresh.with(&format!("{number:012x}-0123456789ab"));
        for number in 0..MOST {
            used(number).pack(&data).expect("it can be packed");
            age(&used(number).path(), Duration::from_mins(100 - number as u64));
        }
        let draft = cache.path().join("initdb-0123456789abcdef.tar.draft-01ab");
        File::create(&draft).expect("it is ours");
        age(&draft, OLD * 2);
        fresh
            .unpack(&cache.path().join("again"), ServerUser::Own)
            .expect("it can be unpacked");
        assert!(used(0).is_there() && !draft.exists());
        used(MOST).pack(&data).expect("it can be packed");
        assert!(fresh.is_there() && used(MOST).is_there() && used(1).is_there());
        assert!(!used(0).is_there());
    }
}
