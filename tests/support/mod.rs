//! Guests: tests of this binary that another test runs in a process of its own, with a supervisor of its own.
//!
//! A guest is marked `#[ignore = "a guest"]`, so that nobody runs it by accident; alone it passes like any other test, or
//! fails where that is what it is for.
#![allow(
    dead_code,
    reason = "each test file is a program of its own and uses its own part of this"
)]

pub(crate) mod docker;
pub(crate) mod notes;
pub(crate) mod outside;
pub(crate) mod registry;
pub(crate) mod sshd;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long anything here may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A household of guests: one `ITEST_DIR`, so one supervisor for each domain, and one notebook.
pub(crate) struct Guests {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

impl Guests {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("guests-").tempdir().unwrap();
        fs::create_dir(dir.path().join("notes")).unwrap();
        Self {
            dir,
            variables: Vec::new(),
        }
    }

    /// Sets a variable for all guests.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs one guest to its end.
    pub(crate) async fn run(&self, test: &str) -> Ended {
        let started = self.start(test);
        Self::end_of(started).await
    }

    /// Runs one guest, which must pass.
    pub(crate) async fn pass(&self, test: &str) {
        let ended = self.run(test).await;
        assert!(ended.passed, "{test} failed:\n{}", ended.said);
    }

    /// Runs one guest, which must fail, and returns what it said.
    pub(crate) async fn fail(&self, test: &str) -> String {
        let ended = self.run(test).await;
        assert!(!ended.passed, "{test} passed:\n{}", ended.said);
        ended.said
    }

    /// Runs one guest, which must fail and say all of these.
    pub(crate) async fn fail_saying(&self, test: &str, parts: &[&str]) -> String {
        let said = self.fail(test).await;
        for part in parts {
            assert!(said.contains(part), "{test} doesn't say `{part}`:\n{said}");
        }
        said
    }

    /// Starts a guest, and waits until it has noted that it is busy.
    pub(crate) async fn start_busy(&self, test: &str) -> Child {
        let busy = self.start(test);
        wait_until("the guest is busy", || {
            self.notes("busy").is_empty().then(|| "it isn't".to_owned())
        })
        .await;
        busy
    }

    /// Lets a guest end that waits for the note of it; it must pass.
    pub(crate) async fn let_end(&self, busy: Child) {
        fs::write(self.notebook().join("end"), "now\n").unwrap();
        let ended = Self::end_of(busy).await;
        assert!(ended.passed, "{}", ended.said);
    }

    /// Runs guests at the same time; all must pass.
    pub(crate) async fn pass_together(&self, tests: &[&str]) {
        let started: Vec<_> = tests.iter().map(|test| self.start(test)).collect();
        for (test, child) in tests.iter().zip(started) {
            let ended = Self::end_of(child).await;
            assert!(ended.passed, "{test} failed:\n{}", ended.said);
        }
    }

    /// Runs one guest, which must pass, as a run of its own: its parent looks like the cargo that was told to run the tests.
    pub(crate) async fn pass_as_a_run(&self, test: &str) {
        let stand_in = self.dir.path().join("cargo-stand-in");
        if !stand_in.exists() {
            symlink("/bin/sh", &stand_in).unwrap();
        }
        // A shell would run the last command in its own place.
        self.pass_below(Command::new(stand_in), "\"$0\" \"$@\" && exit 0", test)
            .await;
    }

    /// Runs one guest, which must pass, below a shell: `script` runs it as `"$0" "$@"`.
    pub(crate) async fn pass_below_a_shell(&self, script: &str, test: &str) {
        self.pass_below(Command::new("sh"), script, test).await;
    }

    async fn pass_below(&self, mut shell: Command, script: &str, test: &str) {
        shell.args(["-c", script]).arg(std::env::current_exe().unwrap()).args([
            "--exact",
            test,
            "--include-ignored",
            "--nocapture",
        ]);
        self.prepare(&mut shell);
        let ended = Self::end_of(shell.spawn().unwrap()).await;
        assert!(ended.passed, "{test} failed:\n{}", ended.said);
    }

    /// Starts one guest.
    pub(crate) fn start(&self, test: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--include-ignored", "--nocapture"]);
        self.prepare(&mut command);
        command.spawn().unwrap()
    }

    /// Puts a command into this household.
    pub(crate) fn prepare(&self, command: &mut Command) {
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

    pub(crate) async fn end_of(child: Child) -> Ended {
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        Ended::of(&output.expect("the guest ends in time").unwrap())
    }

    /// Where guests write what they saw.
    pub(crate) fn notebook(&self) -> PathBuf {
        self.dir.path().join("notes")
    }

    /// What guests wrote under this heading, one line each.
    pub(crate) fn notes(&self, heading: &str) -> Vec<String> {
        notes::read(&self.notebook(), heading)
    }

    /// The guests' `ITEST_DIR`.
    pub(crate) fn base(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// The supervisors of this household.
    pub(crate) fn supervisors(&self) -> Vec<Pid> {
        let homes = fs::read_dir(self.base()).into_iter().flatten().flatten();
        homes
            .filter_map(|home| {
                let state = fs::read_to_string(home.path().join("state.json")).ok()?;
                let (_, pid) = state.split_once("\"supervisor\":{\"pid\":")?;
                Pid::from_raw(pid.split(',').next()?.parse().ok()?)
            })
            .collect()
    }

    /// Sends a signal to the supervisors, and waits until they have left nothing.
    pub(crate) async fn end_supervisors(&self, signal: Signal) {
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
pub(crate) struct Ended {
    pub(crate) passed: bool,
    pub(crate) said: String,
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            passed: output.status.success(),
            said: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

/// Polls until `missing` finds nothing any more; what it found last is said when time is up.
pub(crate) async fn wait_until(wanted: &str, mut missing: impl FnMut() -> Option<String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(last) = missing() {
        assert!(Instant::now() < deadline, "waited in vain: {wanted}; {last}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls until it succeeds; what went wrong last is said when time is up.
pub(crate) async fn wait_for<T>(wanted: &str, mut poll: impl AsyncFnMut() -> anyhow::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match poll().await {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < deadline, "waited in vain: {wanted}; {last:#}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Everything that a web server answers.
pub(crate) async fn http_get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    anyhow::ensure!(!answer.is_empty(), "the connection was closed without an answer");
    Ok(answer)
}

/// A folder of this repository.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
