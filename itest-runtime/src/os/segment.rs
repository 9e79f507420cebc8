//! System V shared memory that a server leaves when it is killed: nothing but a number leads to it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::imp::users_of_segment;

/// How long the processes of a server that was killed may take to notice.
const PROCESSES_END: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);
/// The longest file that is read for a number.
const LENGTH: u64 = 4096;

/// Where a server writes the number of its System V shared memory segment, which stays if the server is killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFile {
    name: String,
    line: usize,
    word: usize,
}

impl SegmentFile {
    /// The name of a file in the server's data folder; the line and the word that are the number, counted from one.
    pub fn new(name: impl Into<String>, line: usize, word: usize) -> Self {
        Self {
            name: name.into(),
            line,
            word,
        }
    }

    /// Removes the segment, once the server is gone. Whoever runs as the server's user could have written another number there:
    /// only a segment of whom the data belongs to, and which no process uses, is removed.
    pub(crate) fn remove_segment(&self, data: &Path) {
        let Some(segment) = self.segment_of(data) else { return };
        let Ok(owner) = fs::symlink_metadata(data).map(|metadata| metadata.uid()) else {
            return;
        };
        // A server's first process is gone before its others are.
        let deadline = Instant::now() + PROCESSES_END;
        while users_of_segment(segment, owner).is_some_and(|users| users > 0) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        if users_of_segment(segment, owner) == Some(0) {
            // The server's end is what the test is told; this is a few bytes.
            let _ = Command::new("ipcrm").args(["-m", &segment.to_string()]).output();
        }
    }

    fn segment_of(&self, data: &Path) -> Option<u32> {
        let is_a_name = Path::new(&self.name).file_name() == Some(self.name.as_ref());
        self.number_in(&read_no_link(&data.join(is_a_name.then_some(&self.name)?))?)
    }

    fn number_in(&self, text: &str) -> Option<u32> {
        let line = text.lines().nth(self.line.checked_sub(1)?)?;
        line.split_ascii_whitespace()
            .nth(self.word.checked_sub(1)?)?
            .parse()
            .ok()
    }
}

/// A file's beginning, if it is a file and no link.
pub(crate) fn read_no_link(path: &Path) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let mut text = String::new();
    fs::File::from(opened).take(LENGTH).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_and_nothing_else_is_taken_for_it() {
        let at = SegmentFile::new("postmaster.pid", 7, 2);
        let file = "4711\n/data\n1795489673\n5432\n/sockets\n127.0.0.1\n  2628852     65572\nready   \n";
        assert_eq!(at.number_in(file), Some(65572));
        assert_eq!(at.number_in("4711\n/data\n"), None);
        assert_eq!(SegmentFile::new("postmaster.pid", 2, 1).number_in(file), None);
    }

    #[test]
    fn only_a_file_of_the_data_folder_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("made");
        fs::write(folder.path().join("outside"), "1").expect("written");
        fs::write(data.join("inside"), "2").expect("written");
        std::os::unix::fs::symlink(data.join("inside"), data.join("link")).expect("linked");
        let number = |name: &str| SegmentFile::new(name, 1, 1).segment_of(&data);
        assert_eq!(number("inside"), Some(2));
        assert_eq!(number("../outside"), None);
        assert_eq!(number("link"), None);
    }
}
