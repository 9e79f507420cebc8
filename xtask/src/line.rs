//! A command line: what is said is what is run.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// One program with its arguments, run in the root of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<String>,
}

impl Line {
    pub(crate) fn new<A: AsRef<str>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            env: Vec::new(),
            stdin: None,
        }
    }

    /// A line for the same cargo that runs this program.
    pub(crate) fn cargo<A: AsRef<str>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::new("cargo", args)
    }

    pub(crate) fn args(mut self, more: &[String]) -> Self {
        self.args.extend_from_slice(more);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Runs it to its end, with this program's own output.
    pub(crate) fn run(&self) -> Result<()> {
        let mut command = self.command();
        if self.stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().with_context(|| format!("failed to start `{self}`"))?;
        if let (Some(text), Some(mut pipe)) = (&self.stdin, child.stdin.take()) {
            pipe.write_all(text.as_bytes())
                .with_context(|| format!("failed to write to `{self}`"))?;
        }
        let status = child.wait().with_context(|| format!("failed to wait for `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// What it prints, if it can be run and succeeds.
    pub(crate) fn said(&self) -> Option<String> {
        let output = self.command().stdin(Stdio::null()).output().ok()?;
        let said = [output.stdout, output.stderr].into_iter().find(|said| !said.is_empty());
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&said.unwrap_or_default()).trim().to_owned())
    }

    /// For a caller that needs what it prints.
    pub(crate) fn command(&self) -> Command {
        let program = match self.program.as_str() {
            "cargo" => env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            other => OsString::from(other),
        };
        let mut command = Command::new(program);
        // The cargo that runs us has told us of our package. Some build scripts (ring's) would take that for news: they and all
        // that depends on them would be rebuilt whenever a person's own cargo has had its turn.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(root());
        command
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo tells it at run time, too: worktrees that share a target folder share this binary.
    let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_owned)
}

/// As a person would type it.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,*".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_a_person_would_type_it() {
        let line = Line::cargo(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
        let line = Line::cargo(["nextest", "run"]).args(&["-E".to_owned(), "test(it's)".to_owned()]);
        assert_eq!(line.to_string(), r"cargo nextest run -E 'test(it'\''s)'");
    }

    #[test]
    fn a_line_that_fails_says_which_and_how() {
        let error = Line::new("sh", ["-c", "exit 3"])
            .run()
            .expect_err("exits with 3")
            .to_string();
        assert!(error.contains("sh -c 'exit 3'") && error.contains('3'), "{error}");
        let error = Line::new("itest-no-such-program", [""; 0])
            .run()
            .expect_err("no program")
            .to_string();
        assert!(error.contains("failed to start `itest-no-such-program`"), "{error}");
    }

    #[test]
    fn a_line_is_fed_its_input() {
        Line::new("sh", ["-c", "test \"$(cat)\" = hello"])
            .stdin("hello\n")
            .run()
            .expect("reads hello");
    }
}
