//! The fleet's test binaries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::runner;

/// The fleet's test targets.
pub(crate) const TARGETS: [&str; 3] = ["alpha_one", "alpha_two", "beta"];

/// The workspace that the fleet is in.
///
/// # Panics
/// When this package was moved.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3);
    root.expect("this package is three folders deep").to_owned()
}

/// Which packages and targets cargo builds: with `--workspace`, features are those of a run of everything, and what that has
/// built is not built again.
pub(crate) fn selection() -> impl Iterator<Item = &'static str> {
    ["--workspace", "--offline", "--color=never"]
        .into_iter()
        .chain(TARGETS.into_iter().flat_map(|target| ["--test", target]))
}

/// A copy of a test binary: a program of its own, which can be replaced.
///
/// # Panics
/// When it can't be built or copied.
pub fn copy_of(target: &str, to: &Path) -> PathBuf {
    std::fs::copy(path_of(target), to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    to.to_owned()
}

fn path_of(target: &str) -> &'static Path {
    &ensure_built()[target]
}

/// Builds the fleet, however long that takes: others may be building, too.
pub(crate) fn ensure_built() -> &'static HashMap<String, PathBuf> {
    static PATHS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    PATHS.get_or_init(|| build(selection()))
}

/// The program of one test target that isn't built with the others, so that cargo is asked for it.
///
/// # Panics
/// When it can't be built.
pub fn test_binary(target: &str) -> PathBuf {
    let mut built = build(["--workspace", "--locked", "--color=never", "--test", target].into_iter());
    built.remove(target).expect("cargo names the program")
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn build<'a>(selection: impl Iterator<Item = &'a str>) -> HashMap<String, PathBuf> {
    let mut cargo = runner::cargo();
    cargo
        .args(["test", "--no-run", "--message-format=json"])
        .args(selection);
    cargo.current_dir(workspace());
    runner::forget_the_outer_run(&mut cargo);
    let output = cargo.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the tests can't be built: {said}");
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}
