//! A run of the fleet that goes on.

use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use crate::ended::Ended;
use crate::harbour::Harbour;
use crate::logbook::Logbook;
use crate::processes::kill_group;
use crate::wait::wait_until;

/// A run takes seconds; the first one builds the fleet, and others may keep the machine busy.
const ENDS_WITHIN: Duration = Duration::from_mins(5);

/// The runner's process. Dropping it ends the run.
#[derive(Debug)]
pub struct Run<'h> {
    harbour: &'h Harbour,
    child: Child,
    output: PathBuf,
    logbook: Logbook,
    read: fn(ExitStatus, String) -> Ended,
}

impl<'h> Run<'h> {
    pub(crate) fn new(
        harbour: &'h Harbour,
        child: Child,
        output: PathBuf,
        logbook: Logbook,
        read: fn(ExitStatus, String) -> Ended,
    ) -> Self {
        Self {
            harbour,
            child,
            output,
            logbook,
            read,
        }
    }

    /// The runner's own pid, which is its process group's, too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until a test is held, and answers with its pid.
    ///
    /// # Panics
    /// When the run ends before.
    pub fn wait_until_held(&mut self) -> u32 {
        wait_until("a held test", ENDS_WITHIN, || {
            self.harbour.look();
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "the run ended before: {}", self.output());
            self.logbook.held().ok_or_else(|| self.output())
        })
    }

    /// Waits until the run has said this.
    ///
    /// # Panics
    /// When the run ends before.
    pub fn wait_until_said(&mut self, text: &str) {
        wait_until(text, ENDS_WITHIN, || {
            let ended = self.child.try_wait().expect("it is our child");
            match self.output() {
                output if output.contains(text) => Ok(()),
                output => {
                    assert!(ended.is_none(), "the run ended and never said `{text}`: {output}");
                    Err(output)
                }
            }
        });
    }

    /// Lets the held test go on.
    pub fn release(&self) {
        self.logbook.release();
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// When it doesn't.
    pub fn wait(mut self) -> Ended {
        let status = wait_until("the end of a run", ENDS_WITHIN, || {
            self.harbour.look();
            self.child
                .try_wait()
                .expect("it is our child")
                .ok_or_else(|| self.output())
        });
        (self.read)(status, self.output())
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.logbook.release();
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            kill_group(self.child.id());
            let _ = self.child.wait();
        }
    }
}
