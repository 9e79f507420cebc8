//! Guests: tests of this binary that another test runs in a process of its own, with a supervisor of its own.
#![expect(clippy::missing_panics_doc, reason = "all that goes wrong here fails the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::processes::{self, Process};
use crate::{PATIENCE, notes, wait_until};

/// A household of guests: one `ITEST_DIR`, so one supervisor for each kind of services, and one notebook. A guest is a test of this
/// binary that is marked `#[ignore = "a guest"]`, so that nobody runs it by accident; alone it passes like any other test, or
/// fails where that is what it is for.
///
/// All that can go wrong here fails the test: every method may panic.
///
/// ```no_run
/// # use itest::service::testing::Guests;
/// # async fn example() {
/// let guests = Guests::new();
/// guests.pass_together(&["writes", "writes"]).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Guests {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

impl Guests {
    /// An empty household.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("guests-").tempdir();
        let dir = dir.expect("a temporary folder can be made");
        fs::create_dir(dir.path().join("notes")).expect("a folder can be made");
        Self {
            dir,
            variables: Vec::new(),
        }
    }

    /// Sets a variable for all guests.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs one guest to its end.
    pub async fn run(&self, test: &str) -> Ended {
        let started = self.start(test);
        Self::end_of(started).await
    }

    /// Runs one guest, which must pass.
    pub async fn pass(&self, test: &str) {
        let ended = self.run(test).await;
        assert!(ended.passed, "{test} failed:\n{}", ended.said);
    }

    /// Runs one guest, which must fail, and returns what it said.
    pub async fn fail(&self, test: &str) -> String {
        let ended = self.run(test).await;
        assert!(!ended.passed, "{test} passed:\n{}", ended.said);
        ended.said
    }

    /// Runs one guest, which must fail and say all of these.
    pub async fn fail_saying(&self, test: &str, parts: &[&str]) -> String {
        let said = self.fail(test).await;
        for part in parts {
            assert!(said.contains(part), "{test} doesn't say `{part}`:\n{said}");
        }
        said
    }

    /// Starts a guest, and waits until it has noted that it is busy.
    pub async fn start_busy(&self, test: &str) -> Child {
        let busy = self.start(test);
        wait_until("the guest is busy", || {
            self.notes("busy").is_empty().then(|| "it isn't".to_owned())
        })
        .await;
        busy
    }

    /// Lets a guest end that waits for the note of it; it must pass.
    pub async fn let_end(&self, busy: Child) {
        fs::write(self.notebook().join("end"), "now\n").expect("the notebook can be written to");
        let ended = Self::end_of(busy).await;
        assert!(ended.passed, "{}", ended.said);
    }

    /// Runs guests at the same time; all must pass.
    pub async fn pass_together(&self, tests: &[&str]) {
        let started: Vec<_> = tests.iter().map(|test| self.start(test)).collect();
        for (test, child) in tests.iter().zip(started) {
            let ended = Self::end_of(child).await;
            assert!(ended.passed, "{test} failed:\n{}", ended.said);
        }
    }

    /// Runs one guest, which must pass, as a run of its own: its parent looks like the cargo that was told to run the tests.
    pub async fn pass_as_a_run(&self, test: &str) {
        let stand_in = self.dir.path().join("cargo-stand-in");
        if !stand_in.exists() {
            symlink("/bin/sh", &stand_in).expect("a link can be made");
        }
        // A shell would run the last command in its own place.
        self.pass_below(Command::new(stand_in), "\"$0\" \"$@\" && exit 0", test)
            .await;
    }

    /// Runs one guest, which must pass, below a shell: `script` runs it as `"$0" "$@"`.
    pub async fn pass_below_a_shell(&self, script: &str, test: &str) {
        self.pass_below(Command::new("sh"), script, test).await;
    }

    async fn pass_below(&self, mut shell: Command, script: &str, test: &str) {
        shell
            .args(["-c", script])
            .arg(own_binary())
            .args(["--exact", test, "--include-ignored", "--nocapture"]);
        self.prepare(&mut shell);
        let ended = Self::end_of(shell.spawn().expect("a shell starts")).await;
        assert!(ended.passed, "{test} failed:\n{}", ended.said);
    }

    /// Starts one guest.
    pub fn start(&self, test: &str) -> Child {
        self.start_with(&["--exact", test, "--include-ignored", "--nocapture"])
    }

    /// Runs all guests whose names begin so, one after the other in one process; all must pass.
    pub async fn pass_in_one_process(&self, prefix: &str) {
        let started = self.start_with(&[prefix, "--include-ignored", "--nocapture", "--test-threads=1"]);
        let ended = Self::end_of(started).await;
        assert!(ended.passed, "{prefix} failed:\n{}", ended.said);
    }

    fn start_with(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(own_binary());
        command.args(arguments);
        self.prepare(&mut command);
        command.spawn().expect("this binary starts once more")
    }

    /// Puts a command into this household.
    pub fn prepare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            // How servers come to run is the same for all.
            if name.starts_with("ITEST_") && ["PROVIDER", "_IMAGE", "_URL"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            if name == "CI" || name.starts_with("NEXTEST") || name.starts_with("ITEST_") || name.starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
            .env("ITEST_DIR", self.base())
            // Households are many, and each lives but once.
            .env("ITEST_KEEP_TEMPLATES", "0")
            .env(notes::NOTEBOOK, self.notebook())
            .env("RUST_BACKTRACE", "0")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
    }

    /// Waits for a guest's end.
    pub async fn end_of(child: Child) -> Ended {
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.expect("the guest ends in time");
        Ended::of(&output.expect("what the guest says can be read"))
    }

    /// Where guests write what they saw.
    pub fn notebook(&self) -> PathBuf {
        self.dir.path().join("notes")
    }

    /// What guests wrote under this heading, one line each.
    pub fn notes(&self, heading: &str) -> Vec<String> {
        notes::read(&self.notebook(), heading)
    }

    /// Forgets what guests wrote under this heading.
    pub fn clear_notes(&self, heading: &str) {
        let _ = fs::remove_file(self.notebook().join(heading));
    }

    /// The guests' `ITEST_DIR`.
    pub fn base(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// The supervisors of this household.
    pub fn supervisors(&self) -> Vec<Pid> {
        let homes = fs::read_dir(self.base()).into_iter().flatten().flatten();
        homes
            .filter_map(|home| {
                let state = fs::read_to_string(home.path().join("state.json")).ok()?;
                let (_, pid) = state.split_once("\"supervisor\":{\"pid\":")?;
                Pid::from_raw(pid.split(',').next()?.parse().ok()?)
            })
            .collect()
    }

    /// What the supervisors of this household have started, and what those have, that runs now. Empty where nobody can tell.
    pub fn processes(&self) -> Vec<Process> {
        let supervisors: Vec<u32> = self
            .supervisors()
            .iter()
            .map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
            .collect();
        processes::below(&supervisors)
    }

    /// Sends a signal to the supervisors, and waits until they have left nothing.
    pub async fn end_supervisors(&self, signal: Signal) {
        for pid in self.supervisors() {
            let _ = kill_process(pid, signal);
        }
        wait_until("the supervisors end", || {
            let locks = fs::read_dir(self.base()).into_iter().flatten().flatten();
            let left: Vec<_> = locks.map(|entry| entry.file_name()).collect();
            (!left.is_empty()).then(|| format!("{left:?} are left in {}", self.base().display()))
        })
        .await;
    }
}

fn own_binary() -> PathBuf {
    std::env::current_exe().expect("a test binary knows where it is")
}

impl Default for Guests {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        for pid in self.supervisors() {
            let _ = kill_process(pid, Signal::TERM);
            // A test that stopped it may have failed before it let it go on.
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

/// How a guest ended, and all that it said.
#[derive(Debug)]
pub struct Ended {
    /// Whether it passed.
    pub passed: bool,
    /// Its standard output, then its standard error.
    pub said: String,
}

impl Ended {
    /// How a command ended.
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            passed: output.status.success(),
            said: text(&output.stdout) + &text(&output.stderr),
        }
    }
}
