//! The suites' test binaries.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::line::{Line, root};

/// Each is a test target of the package in `bench/`.
const TARGETS: [&str; 15] = [
    "floor",
    "transaction",
    "database",
    "clone",
    "sqlx_test",
    "container_per_test",
    "timing",
    "by_hand",
    "server",
    "soak",
    "nats_each",
    "nats_floor",
    "mariadb_each",
    "mariadb_floor",
    "services",
];

pub(super) struct Programs(Vec<(&'static str, PathBuf)>);

impl Programs {
    /// Builds them as `cargo nextest run --workspace` does, so that both runners use the same binaries.
    pub(super) fn build() -> Result<Self> {
        let targets = TARGETS.iter().flat_map(|target| ["--test", target]);
        let args = ["test", "--workspace", "--no-run", "--message-format", "json"];
        let line = Line::cargo(args.into_iter().chain(targets));
        let output = line
            .command()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("failed to start `{line}`"))?;
        if !output.status.success() {
            bail!("`{line}` failed ({})", output.status);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let found = TARGETS.iter().map(|target| {
            let path = executable(&said, target).with_context(|| format!("cargo built no test binary `{target}`"))?;
            Ok((*target, path))
        });
        found.collect::<Result<_>>().map(Self)
    }

    /// A command that runs a test binary the way cargo does.
    pub(super) fn command(&self, target: &str) -> Command {
        let package = root().join("bench");
        let path = self.0.iter().find(|(name, _)| *name == target);
        let (_, path) = path.expect("every target is built");
        let mut command = Command::new(path);
        command.current_dir(&package).env("CARGO_MANIFEST_DIR", package);
        command
    }
}

/// Runs it to its end; what a failure printed is told in short.
pub(super) fn passed(command: &mut Command) -> Result<Output> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .env("RUST_BACKTRACE", "0")
        .output()
        .with_context(|| format!("failed to start {program}"))?;
    if !output.status.success() {
        let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
        let lines: Vec<_> = said.iter().flat_map(|said| said.lines()).take(150).collect();
        bail!("{program} failed ({}):\n{}", output.status, lines.join("\n"));
    }
    Ok(output)
}

/// Where cargo's messages, one a line, say that the test binary of `target` lies.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    let source = format!("/bench/suites/{target}.rs\"");
    let message = messages
        .lines()
        .find(|line| line.contains("\"compiler-artifact\"") && line.contains(&source))?;
    let (_, rest) = message.split_once("\"executable\":\"")?;
    Some(PathBuf::from(rest.split('"').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_messages_tell_where_a_binary_is() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"src_path":"/w/bench/suites/floor.rs"},"executable":"/t/floor-1","fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"src_path":"/w/src/lib.rs"},"executable":null}"#,
        );
        assert_eq!(executable(messages, "floor"), Some(PathBuf::from("/t/floor-1")));
        assert_eq!(executable(messages, "server"), None);
    }
}
