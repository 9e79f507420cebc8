//! Ten thousand tests in one run, under each runner: whether the last ones take longer than the first, and whether anything
//! grows.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::args::Pace;
use super::folder::Folder;
use super::ground::{DATABASES, Ground};
use super::processes::{Processes, children};
use super::programs::{Programs, passed};
use super::suites::Runner;
use crate::line::Line;

/// How many tests the suite has.
const TESTS: usize = 1000;
/// How often it is looked what the supervisor and the server take.
const LOOK: Duration = Duration::from_millis(500);

/// One tenth of a run after the other.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) tests: usize,
    pub(super) nextest: Vec<Part>,
    pub(super) cargo_test: Vec<Part>,
}

/// What a part of a run took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    /// In milliseconds.
    pub(super) each: f64,
    pub(super) use_: Use,
}

/// What was taken at the end of a part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Use {
    /// The supervisor's memory, in megabytes.
    pub(super) supervisor: f64,
    /// What the server's processes have for themselves, in megabytes.
    pub(super) server: f64,
    /// The server's data, in megabytes.
    pub(super) data: f64,
    /// How many databases there are.
    pub(super) databases: usize,
    /// How many databases there have been.
    pub(super) made: usize,
}

impl Figures {
    pub(super) fn runs(&self) -> [(Runner, &[Part]); 2] {
        [(Runner::Nextest, &self.nextest), (Runner::CargoTest, &self.cargo_test)]
    }
}

pub(super) fn measure(programs: &Programs, folder: &Folder, pace: Pace) -> Result<Figures> {
    let rounds = match pace {
        Pace::Quick => 2,
        Pace::Full => 10,
    };
    let settings = vec![("ITEST_PROVIDER", "native".to_owned())];
    let ground = Ground::prepare(programs, folder.join("soak"), settings, &DATABASES)?;
    let meter = Meter::of(&ground)?;
    println!("bench: {} tests under nextest", rounds * TESTS);
    let nextest = under_nextest(&ground, &meter, rounds)?;
    println!("bench: {} tests under cargo test", rounds * TESTS);
    let cargo_test = under_cargo_test(&ground, programs, &meter, rounds)?;
    drop(ground);
    if meter.data.exists() {
        bail!("the server's data is still there, in {}", meter.data.display());
    }
    Ok(Figures {
        tests: rounds * TESTS,
        nextest,
        cargo_test,
    })
}

/// All rounds in one run.
fn under_nextest(ground: &Ground, meter: &Meter, rounds: usize) -> Result<Vec<Part>> {
    let count = rounds.to_string();
    let args = [
        "nextest",
        "run",
        "--workspace",
        "--color",
        "never",
        "--test",
        "soak",
        "--status-level",
        "pass",
    ];
    let stress = ["--stress-count", &count, "--hide-progress-bar"];
    let mut command = Line::cargo(args.into_iter().chain(stress)).command();
    let mut child = ground
        .warm(&mut command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start cargo nextest")?;
    let said = BufReader::new(child.stderr.take().context("it has a stderr")?);
    meter.watch(|meter| {
        let mut parts = Vec::new();
        let mut failed = Vec::new();
        let mut done = 0;
        let mut began = None;
        for line in said.lines() {
            let line = line.context("failed to read what nextest says")?;
            let line = line.trim_start();
            // Listing and building are over.
            let since = *began.get_or_insert_with(Instant::now);
            if line.starts_with("PASS") || line.starts_with("LEAK") {
                done += 1;
            } else if line.starts_with("FAIL") {
                failed.push(line.to_owned());
            } else {
                if done == 0 {
                    began = None;
                }
                continue;
            }
            if done == TESTS {
                parts.push(meter.part(since));
                (done, began) = (0, None);
            }
        }
        let status = child.wait().context("failed to wait for nextest")?;
        if !status.success() || !failed.is_empty() || parts.len() != rounds {
            bail!(
                "nextest ended with {status}, after {} of {rounds} rounds: {failed:?}",
                parts.len()
            );
        }
        Ok(parts)
    })
}

/// A process for each round, one after the other, on one supervisor.
fn under_cargo_test(ground: &Ground, programs: &Programs, meter: &Meter, rounds: usize) -> Result<Vec<Part>> {
    meter.watch(|meter| {
        (0..rounds)
            .map(|_| {
                let began = Instant::now();
                passed(ground.warm(&mut programs.command("soak")))?;
                Ok(meter.part(began))
            })
            .collect()
    })
}

/// Looks at a supervisor and its server.
struct Meter {
    supervisor: PathBuf,
    server: String,
    data: PathBuf,
    /// Every database that was seen.
    seen: std::sync::Mutex<BTreeSet<String>>,
}

impl Meter {
    fn of(ground: &Ground) -> Result<Self> {
        let Processes {
            supervisor,
            server,
            data,
        } = Processes::of(ground)?;
        Ok(Self {
            supervisor: Path::new("/proc").join(supervisor),
            server,
            data,
            seen: std::sync::Mutex::default(),
        })
    }

    /// Runs something while it is looked which databases come and go.
    fn watch<T>(&self, run: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    self.look();
                    sleep(LOOK);
                }
            });
            let outcome = run(self);
            is_over.store(true, Ordering::Relaxed);
            outcome
        })
    }

    fn look(&self) -> usize {
        let databases = databases(&self.data);
        let count = databases.len();
        self.seen.lock().expect("no holder panics").extend(databases);
        count
    }

    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    fn part(&self, began: Instant) -> Part {
        let each = began.elapsed().as_secs_f64() * 1000.0 / TESTS as f64;
        let databases = self.look();
        let own = children(&self.server).into_iter().chain([self.server.clone()]);
        let server = own.map(|pid| status(&Path::new("/proc").join(pid), "RssAnon:")).sum();
        Part {
            each,
            use_: Use {
                supervisor: status(&self.supervisor, "VmRSS:"),
                server,
                data: megabytes(&self.data),
                databases,
                made: self.seen.lock().expect("no holder panics").len(),
            },
        }
    }
}

/// By the numbers that the server gave them.
fn databases(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("base")).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// A line of a process's status, in megabytes.
fn status(process: &Path, name: &str) -> f64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1e3
}

/// All that is in a folder.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
fn megabytes(folder: &Path) -> f64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => megabytes(&entry.path()),
            Ok(metadata) => metadata.len() as f64 / 1e6,
            Err(_) => 0.0,
        })
        .sum()
}
