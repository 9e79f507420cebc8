//! Removes the containers that the bench starts without itest, also when it is killed in the middle.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::line::Line;

/// Removes what has the label `$0`.
const SWEEP: &str = r#"
found=$(docker ps --all --quiet --filter "label=$0") || exit
[ -z "$found" ] || docker rm --force --volumes $found >/dev/null
"#;

/// Waits for the bench's death, then runs the script `$1` some times: what the engine was just creating comes only later.
const AFTER_DEATH: &str = r#"
trap '' HUP
cat
for round in 1 2 3 4 5 6 7 8; do
    sh -c "$1" "$0" 2>/dev/null
    sleep 0.5
done
"#;

pub(super) struct Janitor {
    label: String,
    /// Its stdin ends with this process, however that dies.
    shell: Child,
}

impl Janitor {
    pub(super) fn start() -> Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // An engine may serve other machines, too, where others have our pid.
        let label = format!("itest.bench={}-{}", std::process::id(), since.as_nanos());
        let shell = Command::new("sh")
            .args(["-c", AFTER_DEATH, &label, SWEEP])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C is not for it.
            .process_group(0)
            .spawn()
            .context("failed to start a shell")?;
        Ok(Self { label, shell })
    }

    /// What every such container has to be labelled with, as `NAME=VALUE`.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Removes them all.
    pub(super) fn sweep(&self) -> Result<()> {
        Line::new("sh", ["-c", SWEEP, &self.label])
            .run()
            .context("failed to remove the bench's own containers")
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        if let Err(error) = self.sweep() {
            println!("warning: {error:#}");
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
