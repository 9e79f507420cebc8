//! What is in a folder's files, remembered by what the file system says of them: reading 160 migrations takes each process of
//! nextest longer than leasing a slice.
//!
//! It lies in the folder of the supervisor, and goes with it. A file is known by its place, its size, and the times of its last
//! changes, of which no program can set the one of its inode. As a clock may stand still between two changes, a file that changed
//! just now is read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::read;
use crate::error::{Context, Result};
use crate::naming::random_hex;
use crate::spec::{Fingerprint, FingerprintBuilder};

/// The coarsest clock of a file system that we know of, that of FAT.
const GRANULARITY: Duration = Duration::from_secs(2);

/// The fingerprint of these files of one folder: of their names and of what is in them.
pub(super) fn content_of(files: &[PathBuf], memory: Option<&Path>) -> Result<Fingerprint> {
    let Some(memory) = memory.filter(|_| !files.is_empty()) else {
        return read_all(files);
    };
    let began = SystemTime::now();
    let seen = Seen::of(files)?;
    let note = memory.join(format!("files-{}", seen.place.short(16)));
    let known = fs::read_to_string(&note).ok();
    if let Some(known) = known.and_then(|text| Some(text.strip_prefix(&seen.line())?.to_owned())) {
        return Ok(Fingerprint::written(known));
    }
    let content = read_all(files)?;
    // They may have changed while they were read.
    if seen.is_settled(began) && memory.is_dir() && Seen::of(files)?.stamp == seen.stamp {
        remember(&note, &format!("{}{content}", seen.line()));
    }
    Ok(content)
}

fn read_all(files: &[PathBuf]) -> Result<Fingerprint> {
    let mut content = FingerprintBuilder::new("files");
    for path in files {
        content.text(&path.file_name().unwrap_or_default().to_string_lossy());
        content.bytes(&read(path)?);
    }
    Ok(content.finish())
}

/// Whoever writes at the same time writes the same, or what is older: then it isn't believed.
fn remember(note: &Path, text: &str) {
    let draft = note.with_extension(random_hex(4));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, note));
    if let Err(error) = written {
        tracing::debug!(%error, "a fingerprint is not remembered");
        let _ = fs::remove_file(&draft);
    }
}

/// What the file system says of the files.
struct Seen {
    /// Where they are.
    place: Fingerprint,
    stamp: Fingerprint,
    /// The last change of any of them.
    latest: SystemTime,
}

impl Seen {
    fn of(files: &[PathBuf]) -> Result<Self> {
        let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        // Hashed as a whole: in a debug build each part costs more than a file's own look.
        let mut stamp = Vec::with_capacity(files.len() * 96);
        let mut latest = UNIX_EPOCH;
        for file in files {
            let metadata = fs::metadata(file).context(|| format!("failed to read {}", file.display()))?;
            stamp.extend_from_slice(file.as_os_str().as_encoded_bytes());
            stamp.push(0);
            stamp.extend_from_slice(&numbers(&metadata));
            latest = latest.max(changed(&metadata));
        }
        Ok(Self {
            place: FingerprintBuilder::new("place")
                .bytes(folder.as_os_str().as_encoded_bytes())
                .finish(),
            stamp: FingerprintBuilder::new("stamp").bytes(&stamp).finish(),
            latest,
        })
    }

    /// Whether the clock of the file system has gone on since.
    fn is_settled(&self, now: SystemTime) -> bool {
        now.duration_since(self.latest).is_ok_and(|since| since > GRANULARITY)
    }

    fn line(&self) -> String {
        format!("{} ", self.stamp)
    }
}

fn numbers(metadata: &Metadata) -> [u8; 56] {
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
        metadata.ctime().cast_unsigned(),
        metadata.ctime_nsec().cast_unsigned(),
    ];
    let mut bytes = [0; 56];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn changed(metadata: &Metadata) -> SystemTime {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
    UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// Folders of files and of what is remembered.
    struct Bench {
        _dir: tempfile::TempDir,
        files: Vec<PathBuf>,
        memory: PathBuf,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let files = ["1_a.sql", "2_b.sql"].map(|name| dir.path().join(name));
            for file in &files {
                fs::write(file, "SELECT 1").expect("written");
            }
            let memory = dir.path().join("memory");
            fs::create_dir(&memory).expect("made");
            Self {
                files: files.to_vec(),
                memory,
                _dir: dir,
            }
        }

        fn content(&self) -> Fingerprint {
            content_of(&self.files, Some(&self.memory)).expect("they can be read")
        }

        fn notes(&self) -> Vec<PathBuf> {
            let notes = fs::read_dir(&self.memory).expect("it is there").flatten();
            notes.map(|entry| entry.path()).collect()
        }

        /// Remembers something else, as if the files had not changed for a while.
        fn remember(&self, content: &str) {
            let seen = Seen::of(&self.files).expect("they are there");
            let note = self.memory.join(format!("files-{}", seen.place.short(16)));
            remember(&note, &format!("{}{content}", seen.line()));
        }
    }

    /// Changes a file as the clock has gone on, which may stand still for some milliseconds.
    fn change(file: &Path, text: &str) {
        let time = || changed(&fs::metadata(file).expect("it is there"));
        let before = time();
        while time() == before {
            fs::write(file, text).expect("written");
        }
    }

    #[test]
    fn what_changed_just_now_is_read_and_not_remembered() {
        let bench = Bench::new();
        let first = bench.content();
        assert!(bench.notes().is_empty());
        fs::write(&bench.files[0], "SELECT 2").expect("written");
        assert_ne!(bench.content(), first, "of the same size, and perhaps at the same time");
    }

    #[test]
    fn what_has_not_changed_is_not_read() {
        let bench = Bench::new();
        bench.remember("0badcafe");
        assert_eq!(bench.content().to_string(), "0badcafe");
        assert_eq!(bench.notes().len(), 1);
    }

    #[test]
    fn what_changed_is_read_whatever_its_time_says() {
        let bench = Bench::new();
        let read = bench.content();
        let times = fs::metadata(&bench.files[0])
            .expect("it is there")
            .modified()
            .expect("a time");
        bench.remember("0badcafe");
        change(&bench.files[0], "SELECT 2");
        let file = File::options().write(true).open(&bench.files[0]).expect("opened");
        file.set_modified(times).expect("set");
        assert_ne!(bench.content().to_string(), "0badcafe");
        assert_ne!(bench.content(), read);

        bench.remember("0badcafe");
        change(&bench.files[1], "SELECT 1");
        fs::rename(&bench.files[1], bench.files[1].with_file_name("3_c.sql")).expect("renamed");
        let renamed = [bench.files[0].clone(), bench.files[1].with_file_name("3_c.sql")];
        let content = content_of(&renamed, Some(&bench.memory)).expect("they can be read");
        assert_ne!(content.to_string(), "0badcafe", "a name counts, too");
    }

    #[test]
    fn what_has_settled_is_remembered() {
        let bench = Bench::new();
        let seen = Seen::of(&bench.files).expect("they are there");
        assert!(!seen.is_settled(SystemTime::now()));
        assert!(!seen.is_settled(UNIX_EPOCH), "a clock that goes wrong settles nothing");
        assert!(seen.is_settled(SystemTime::now() + 2 * GRANULARITY));
    }

    #[test]
    fn without_a_supervisor_nothing_is_remembered() {
        let bench = Bench::new();
        fs::remove_dir(&bench.memory).expect("removed");
        assert_eq!(bench.content(), read_all(&bench.files).expect("they can be read"));
        assert!(!bench.memory.exists());
    }
}
