//! Hints for failures that are the machine's: what a test needs before it can begin was refused by the operating system.

pub(crate) const FREE_SPACE: &str =
    "free some space, or set ITEST_DATA_DIR to a folder that has it (256 MB are plenty)";

/// What the system says, and what to do about it. In the words of the C library, which both Rust and the servers repeat.
const REMEDIES: &[(&[&str], &str)] = &[
    (
        &[
            "Resource temporarily unavailable (os error",
            "could not fork",
            "Cannot fork",
            "can't fork",
            "Can't initialize Background Jobs",
        ],
        "this user has as many processes and threads as it may have: end some, or ask for more (`ulimit -u`, or `pids` of the \
         container that this runs in)",
    ),
    (
        &["Too many open files"],
        "more files are open than may be: `ulimit -n 4096`, say, in the shell that starts the tests",
    ),
    (&["No space left on device", "Disk quota exceeded"], FREE_SPACE),
    (
        &["Read-only file system"],
        "set ITEST_DIR (sockets and logs), ITEST_DATA_DIR (servers' data) and ITEST_CACHE_DIR to folders that can be written to",
    ),
    (
        &["Cannot allocate memory", "could not resize shared memory segment"],
        "memory is short: run fewer tests at a time, or give this machine, or the container that this runs in, more",
    ),
];

pub(crate) fn hint(failure: &str) -> Option<&'static str> {
    let is_said = |texts: &[&str]| texts.iter().any(|text| failure.contains(text));
    let (_, remedy) = REMEDIES.iter().find(|(texts, _)| is_said(texts))?;
    // Whoever noticed it where it happened has said the same.
    (!failure.contains(remedy)).then_some(*remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_has_a_remedy() {
        for (failure, part) in [
            (
                "failed to start the supervisor: Resource temporarily unavailable (os error 11)",
                "ulimit -u",
            ),
            ("FATAL:  could not fork new process for connection", "ulimit -u"),
            ("accept: Too many open files (os error 24)", "ulimit -n"),
            (
                "could not extend file \"base/16389/2619\": No space left on device",
                "ITEST_DATA_DIR",
            ),
            (
                "failed to create /x/y: Read-only file system (os error 30)",
                "ITEST_DIR",
            ),
        ] {
            assert!(hint(failure).is_some_and(|hint| hint.contains(part)), "{failure}");
        }
        assert_eq!(hint("the server can't be reached"), None);
        let twice = format!("No space left on device\n  hint: {FREE_SPACE}");
        assert_eq!(hint(&twice), None);
    }
}
