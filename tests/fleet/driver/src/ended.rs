//! A run of the fleet that has ended, and what its runner said of each test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    success: bool,
    /// Everything that the runner and the tests said.
    pub output: String,
    /// By the test's path, with its binary's name.
    tests: BTreeMap<String, Test>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Passed,
    Failed,
}

impl Ended {
    /// `PASS [   0.1s] (1/200) fleet-alpha::alpha_one first::in_a_database_1`
    pub(crate) fn of_nextest(status: ExitStatus, output: String) -> Self {
        let mut tests = BTreeMap::new();
        for line in output.lines() {
            let Some((how, rest)) = line.trim_start().split_once(" [") else {
                continue;
            };
            let test = match how {
                "PASS" | "LEAK" => Test::Passed,
                "FAIL" | "TIMEOUT" => Test::Failed,
                signal if signal.starts_with("SIG") => Test::Failed,
                _ => continue,
            };
            let mut words = rest.rsplit(' ');
            if let (Some(name), Some(binary)) = (words.next(), words.next()) {
                let binary = binary.rsplit("::").next().unwrap_or(binary);
                tests.insert(format!("{binary}::{name}"), test);
            }
        }
        Self {
            success: status.success(),
            output,
            tests,
        }
    }

    /// `Running tests/beta.rs (target/debug/deps/beta-0123456789abcdef)`, then `test first::in_a_database_1 ... ok`
    pub(crate) fn of_libtest(status: ExitStatus, output: String) -> Self {
        let mut tests = BTreeMap::new();
        let mut binary = String::new();
        for line in output.lines() {
            if let Some(path) = line.trim_start().strip_prefix("Running ") {
                let path = path.rsplit(' ').next().unwrap_or(path).trim_matches(['(', ')']);
                let file = Path::new(path)
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                file.split('-').next().unwrap_or_default().clone_into(&mut binary);
                continue;
            }
            let Some((name, how)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
                continue;
            };
            let test = match how {
                "ok" => Test::Passed,
                how if how.starts_with("ignored") => continue,
                _ => Test::Failed,
            };
            tests.insert(format!("{binary}::{name}"), test);
        }
        Self {
            success: status.success(),
            output,
            tests,
        }
    }

    fn those_that(&self, ended: Test) -> Vec<&str> {
        let those = self.tests.iter().filter(|(_, test)| **test == ended);
        those.map(|(name, _)| name.as_str()).collect()
    }

    /// The tests that passed, sorted.
    pub fn passed(&self) -> Vec<&str> {
        self.those_that(Test::Passed)
    }

    /// The tests that failed, sorted.
    pub fn failed(&self) -> Vec<&str> {
        self.those_that(Test::Failed)
    }

    /// Checks that exactly these failed and all others of `count` passed.
    ///
    /// # Panics
    /// When it was otherwise.
    pub fn check(&self, count: usize, failed: &[&str]) {
        assert_eq!(self.failed(), failed, "{}", self.output);
        assert_eq!(self.passed().len() + failed.len(), count, "{}", self.output);
        assert_eq!(self.success, failed.is_empty(), "{}", self.output);
    }
}
