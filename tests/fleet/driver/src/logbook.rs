//! What the fleet's tests tell their driver, through files in one folder.
//!
//! ```text
//! records     one line for each test that found its slices clean
//! builders    one line for each test that began to build a template with its own code
//! held        the pid of the test (or builder) that waits
//! release     it may go on
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Names the folder.
pub const FOLDER: &str = "FLEET_RECORD";
/// Names the test that waits in the middle, as `alpha_one::first::in_a_database_1`.
pub const HOLD: &str = "FLEET_HOLD";
/// Makes the first builder of a template wait when it is half done.
pub const HOLD_BUILDER: &str = "FLEET_HOLD_BUILDER";

/// How long a held test waits: its driver may have died.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(5);

/// What a test saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The test's path, with its binary's name.
    pub test: String,
    /// When its PostgreSQL server started, to the microsecond.
    pub postgres: String,
    /// The `run_id` of its Redis server.
    pub redis: String,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Logbook(PathBuf);

impl Logbook {
    /// A logbook in a folder that is there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The logbook of the driver that started this process, if one did.
    pub fn of_our_driver() -> Option<Self> {
        std::env::var_os(FOLDER).map(|folder| Self(folder.into()))
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn add(&self, record: &Record) -> io::Result<()> {
        self.append("records", &serde_json::to_string(record)?)
    }

    /// All records, in the order in which they were written.
    ///
    /// # Panics
    /// When a line is no record.
    pub fn records(&self) -> Vec<Record> {
        let lines = self.lines("records");
        let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        lines.iter().map(parse).collect()
    }

    /// Notes that `test` begins to build a template.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn begin_building(&self, test: &str) -> io::Result<()> {
        self.append("builders", test)
    }

    /// The tests that began to build a template.
    pub fn builders(&self) -> Vec<String> {
        self.lines("builders")
    }

    /// Waits until the driver says so. Only the first to come waits, and none that comes after it.
    ///
    /// # Errors
    /// When the driver doesn't come back.
    pub fn hold(&self) -> io::Result<()> {
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.0.join("held"))
        {
            Ok(mut held) => writeln!(held, "{}", std::process::id())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.0.join("release").exists() {
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody released this test"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The pid of the one that waits.
    pub fn held(&self) -> Option<u32> {
        let held = fs::read_to_string(self.0.join("held")).ok()?;
        held.strip_suffix('\n')?.parse().ok()
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn release(&self) {
        fs::write(self.0.join("release"), "").expect("the logbook can be written");
    }

    fn append(&self, file: &str, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.0.join(file))?;
        // One write: lines of tests that run at the same time don't mix.
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.0.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
