//! Whose the processor's time is: that of the test process, the server and the supervisor.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::figures::Samples;
use super::ground::Ground;
use super::processes::{self, Processes};
use super::programs::{Programs, passed};
use super::suites::Suite;

/// What goes on behind a test's back is over after that.
const SETTLE: Duration = Duration::from_millis(500);

/// Milliseconds a test.
#[derive(Debug, Default)]
pub(super) struct Shares {
    pub(super) test: Samples,
    pub(super) server: Samples,
    pub(super) supervisor: Samples,
    pub(super) all: Samples,
}

#[derive(Debug, Default)]
pub(super) struct Cpu {
    pub(super) floor: Shares,
    pub(super) transaction: Shares,
    pub(super) database: Shares,
}

/// Of each suite's tests, run as `cargo test` does.
pub(super) fn round(ground: &Ground, programs: &Programs, cpu: &mut Cpu) -> Result<()> {
    let processes = Processes::of(ground)?;
    for (suite, shares) in [
        (Suite::Floor, &mut cpu.floor),
        (Suite::Transaction, &mut cpu.transaction),
        (Suite::Database, &mut cpu.database),
    ] {
        let before = (processes.cpu(), processes::cpu("self").reaped);
        passed(ground.warm(&mut programs.command(suite.target())))?;
        sleep(SETTLE);
        let after = (processes.cpu(), processes::cpu("self").reaped);
        let each = |after: f64, before: f64| (after - before) / f64::from(suite.tests());
        let (supervisor, server) = (each(after.0.0, before.0.0), each(after.0.1, before.0.1));
        let test = each(after.1, before.1);
        shares.test.add(test);
        shares.server.add(server);
        shares.supervisor.add(supervisor);
        shares.all.add(test + server + supervisor);
    }
    Ok(())
}
