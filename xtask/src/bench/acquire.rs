//! How long a test waits for a slice that is ready: from the call of its wrapper to its body, within one process.

use anyhow::Result;

use super::Samples;
use super::ground::Ground;
use super::programs::{Programs, passed};

/// In milliseconds.
#[derive(Debug, Default)]
pub(super) struct Acquired {
    pub(super) transaction: Samples,
    /// Connected to the server as well.
    pub(super) connected: Samples,
    pub(super) database: Samples,
}

pub(super) fn round(ground: &Ground, programs: &Programs, acquired: &mut Acquired) -> Result<()> {
    let Acquired {
        transaction,
        connected,
        database,
    } = acquired;
    for (samples, test) in [
        (transaction, "acquire_transaction"),
        (connected, "acquire_connected_transaction"),
        (database, "acquire_database"),
    ] {
        samples.extend(measure(ground, programs, test)?);
    }
    Ok(())
}

fn measure(ground: &Ground, programs: &Programs, test: &str) -> Result<Samples> {
    let mut command = programs.command("timing");
    let output = passed(ground.warm(&mut command).args(["--exact", test, "--nocapture"]))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let times = said
        .lines()
        .filter_map(|line| line.split_once("took=")?.1.trim().parse().ok());
    // The first ones find cold caches of the process's own.
    Ok(times.skip(3).map(|nanoseconds: f64| nanoseconds / 1e6).collect())
}
