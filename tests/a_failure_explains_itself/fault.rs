//! Runs one test of `tests/faults` and reads its output.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What no output may ever contain.
pub(crate) const PASSWORD: &str = "sesame";

/// The package with the tests that fail.
pub(crate) fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults")
}

/// A test of `tests/faults`, and the surroundings that it will run in.
pub(crate) struct Fault {
    test: &'static str,
    wrapper: Vec<OsString>,
    /// Set, or taken away.
    variables: Vec<(OsString, Option<OsString>)>,
}

/// A test that uses the same supervisor as all other tests of this workspace.
pub(crate) fn fault(test: &'static str) -> Fault {
    Fault {
        test,
        wrapper: Vec::new(),
        variables: Vec::new(),
    }
}

impl Fault {
    pub(crate) fn with(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((variable.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    pub(crate) fn without(mut self, variable: impl AsRef<OsStr>) -> Self {
        self.variables.push((variable.as_ref().to_owned(), None));
        self
    }

    /// Runs the test by way of another program.
    pub(crate) fn wrapped_by<S: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(|part| part.as_ref().to_owned()).collect();
        self
    }

    pub(crate) fn fails(self) -> Said {
        let (passed, said) = self.run();
        assert!(!passed, "the test was to fail:\n{}", said.0);
        said
    }

    pub(crate) fn passes(self) -> Said {
        let (passed, said) = self.run();
        assert!(passed, "the test was to pass:\n{}", said.0);
        said
    }

    fn run(self) -> (bool, Said) {
        let program = std::iter::once(binary().as_os_str());
        let mut line = self.wrapper.iter().map(OsString::as_os_str).chain(program);
        let mut command = Command::new(line.next().expect("at least the program"));
        command
            .args(line)
            .args(["--exact", self.test, "--nocapture"])
            .stdin(Stdio::null());
        // What the outer run was told isn't for the inner one.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            // But how servers come to run is the same for all.
            let kept = ["_DIR", "PROVIDER", "_IMAGE", "_URL"]
                .iter()
                .any(|end| text.ends_with(end));
            let ours = text.starts_with("ITEST_") && !kept;
            if ours || text.starts_with("NEXTEST") || text.starts_with("RUST_") {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_MANIFEST_DIR", package()).env_remove("CI");
        for (name, value) in self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        let said = Said(String::from_utf8_lossy(&text).into_owned());
        said.hides_passwords();
        assert!(
            said.0.contains("1 passed") || said.0.contains("1 failed"),
            "there is no such test:\n{}",
            said.0
        );
        (output.status.success(), said)
    }
}

/// What a test wrote.
pub(crate) struct Said(String);

impl Said {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Everything of `parts`.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.0.contains(part), "it doesn't say `{part}`:\n{}", self.0);
        }
        self
    }

    #[track_caller]
    pub(crate) fn never_says(self, part: &str) -> Self {
        assert!(!self.0.contains(part), "it says `{part}`:\n{}", self.0);
        self
    }

    /// Passwords that itest makes are 48 hexadecimal digits.
    #[track_caller]
    fn hides_passwords(&self) {
        assert!(!self.0.contains(PASSWORD), "it shows a password:\n{}", self.0);
        let made = self
            .0
            .split(|c: char| !c.is_ascii_hexdigit())
            .any(|digits| digits.len() >= 48);
        assert!(!made, "it shows what looks like a password:\n{}", self.0);
    }
}

/// The program with the tests that fail. They aren't built with the others, so cargo is asked for them.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| fleet_driver::test_binary("faults"))
}
