//! A run of the fleet that is about to start.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::binaries::{selection, workspace};
use crate::ended::Ended;
use crate::engine::IMAGES;
use crate::harbour::Harbour;
use crate::logbook::{self, Logbook};
use crate::manners::{self, Manners};
use crate::run::Run;

/// Runs each of its arguments, up to `--`, with all that come after.
const SCRIPT: &str = r#"
binaries= status=0
while [ "$1" != -- ]; do binaries="$binaries $1"; shift; done
shift
for binary in $binaries; do
  echo "     Running $binary" >&2
  "$binary" "$@" || status=101
done
exit $status
"#;

/// The command, and what it is told by the environment.
#[derive(Debug)]
pub struct Runner<'h> {
    harbour: &'h Harbour,
    command: Command,
    kind: Kind,
    logbook: Logbook,
}

/// How the fleet's servers come to run: as those of the driver's own run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// As processes; also where the driver's run leaves it open.
    Native,
    /// In containers.
    Docker,
    /// They run already.
    External,
}

impl Provider {
    /// What `ITEST_PROVIDER` says to the driver.
    pub fn of_this_run() -> Self {
        match std::env::var("ITEST_PROVIDER").as_deref() {
            Ok("docker") => Self::Docker,
            Ok("external") => Self::External,
            _ => Self::Native,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::External => "external",
        }
    }

    /// How many servers a run of the fleet has that a supervisor started: a Postgres and a Redis, if any.
    pub fn servers(self) -> usize {
        if self == Self::External { 0 } else { 2 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nextest,
    Libtest,
}

/// The beginnings of the variables with which a cargo tells a program of its package.
const OF_A_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_", "OUT_DIR"];

/// The cargo that runs this test, or the first in `PATH`; told what a person's would be. Some build scripts (ring's) take what
/// the outer one has told this test for news, and then they and all that depends on them are rebuilt, back and forth.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_A_PACKAGE.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// What a driver's own run told it must not reach the fleet's: it would change what is built, or whose tests they think
/// they are.
pub(crate) fn forget_the_outer_run(command: &mut Command) {
    const PREFIXES: [&str; 3] = ["NEXTEST", "ITEST_", "FLEET_"];
    const NAMES: [&str; 4] = [
        "RUST_TEST_THREADS",
        "RUST_TEST_SHUFFLE",
        "RUST_TEST_NOCAPTURE",
        "DATABASE_URL",
    ];
    // Where this machine has its servers holds for the fleet, too.
    const KEPT: [&str; 8] = [
        "ITEST_SERVER_USER",
        "ITEST_CACHE_DIR",
        "ITEST_POSTGRES_BIN",
        "ITEST_REDIS_BIN",
        "ITEST_POSTGRES_IMAGE",
        "ITEST_REDIS_IMAGE",
        "ITEST_POSTGRES_URL",
        "ITEST_REDIS_URL",
    ];
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let is_outer = PREFIXES
            .iter()
            .chain(&OF_A_PACKAGE)
            .any(|prefix| text.starts_with(prefix))
            || NAMES.contains(&text);
        if is_outer && !KEPT.contains(&text) {
            command.env_remove(name);
        }
    }
    // Back traces of tests that fail on purpose only cost time.
    command.env("RUST_BACKTRACE", "0").env("CARGO_TERM_COLOR", "never");
}

impl<'h> Runner<'h> {
    pub(crate) fn nextest(harbour: &'h Harbour) -> Self {
        let mut command = cargo();
        command
            .args(["nextest", "run", "--user-config-file=none", "--no-fail-fast"])
            .args(selection());
        command.args(["--status-level=pass", "--final-status-level=none"]);
        command.args(["--failure-output=immediate", "--success-output=never"]);
        command.current_dir(workspace());
        Self::of(harbour, command, Kind::Nextest)
    }

    pub(crate) fn cargo_test(harbour: &'h Harbour) -> Self {
        let mut command = cargo();
        command.args(["test", "--no-fail-fast"]).args(selection()).arg("--");
        command.current_dir(workspace());
        Self::of(harbour, command, Kind::Libtest)
    }

    /// The binaries' parent must look like cargo, as it does for everyone who runs tests: to a supervisor, its end is the
    /// end of the run.
    pub(crate) fn binaries(harbour: &'h Harbour, binaries: impl IntoIterator<Item = PathBuf>) -> Self {
        let stand_in = harbour.path("cargo-stand-in");
        if !stand_in.exists() {
            symlink("/bin/sh", &stand_in).expect("the harbour is ours");
        }
        let mut command = Command::new(stand_in);
        command.args(["-c", SCRIPT, "sh"]).args(binaries).arg("--");
        command.current_dir(workspace());
        Self::of(harbour, command, Kind::Libtest)
    }

    fn of(harbour: &'h Harbour, mut command: Command, kind: Kind) -> Self {
        forget_the_outer_run(&mut command);
        let provider = Provider::of_this_run();
        command
            .env("ITEST_DIR", harbour.dir())
            .env("ITEST_PROVIDER", provider.name())
            // Harbours are many, and each is used but once.
            .env("ITEST_KEEP_TEMPLATES", "0");
        let runner = Self {
            harbour,
            command,
            kind,
            logbook: harbour.logbook(),
        };
        runner.linger("200ms")
    }

    /// How many tests run at once.
    pub fn threads(mut self, threads: usize) -> Self {
        self.command.arg(format!("--test-threads={threads}"));
        self
    }

    /// An argument of nextest or libtest.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Only tests that nextest's filter expression matches.
    pub fn only(self, filter: &str) -> Self {
        self.arg(&format!("--filterset={filter}"))
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// How long an idle supervisor stays.
    pub fn linger(self, linger: &str) -> Self {
        self.env("ITEST_LINGER", linger)
    }

    /// On containers, from local images.
    pub fn on_containers(mut self) -> Self {
        self.command.env("ITEST_PROVIDER", "docker").envs(IMAGES);
        self
    }

    /// How the misbehaving tests behave.
    pub fn manners(self, manners: Manners) -> Self {
        self.env(manners::VARIABLE, manners.name())
    }

    /// The test of this path, such as `alpha_one::first::in_a_database_1`, waits in the middle until it is released.
    pub fn hold(self, test: &str) -> Self {
        self.env(logbook::HOLD, test)
    }

    /// The first test that builds a template with its own code waits when that is half done.
    pub fn hold_builder(self) -> Self {
        self.env(logbook::HOLD_BUILDER, "1")
    }

    /// Where the tests write.
    pub fn logbook(mut self, logbook: &Logbook) -> Self {
        self.logbook = logbook.clone();
        self
    }

    /// Starts it, in a process group of its own.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(mut self) -> Run<'h> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let output = self.harbour.path(&format!("output-{number}"));
        let file = File::create(&output).expect("the harbour is ours");
        self.command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file);
        self.command
            .env(logbook::FOLDER, self.logbook.folder())
            .process_group(0);
        let child = self.command.spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{} can't be started: {error}", self.command.get_program().display()));
        let read = match self.kind {
            Kind::Nextest => Ended::of_nextest,
            Kind::Libtest => Ended::of_libtest,
        };
        Run::new(self.harbour, child, output, self.logbook, read)
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }
}
