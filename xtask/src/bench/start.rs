//! How long it takes from the start of a test process to its first test's body.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::Samples;
use super::ground::{Cache, Ground};
use super::programs::{Programs, passed};

/// A test that reaches its body with an empty database.
const BLANK: &str = "start_blank";
/// One whose database has 40 tables from 20 migrations.
const MIGRATED: &str = "start_migrated";

/// In milliseconds.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Nothing was ever prepared: `initdb` runs.
    pub(super) very_first: Samples,
    pub(super) cold: Samples,
    /// The same, and the template is built.
    pub(super) cold_migrated: Samples,
    /// The same, and an earlier supervisor has left it.
    pub(super) cold_kept: Samples,
    pub(super) warm: Samples,
    pub(super) warm_migrated: Samples,
}

pub(super) fn round(ground: &Ground, programs: &Programs, starts: &mut Starts) -> Result<()> {
    starts.very_first.add_time(cold(ground, programs, BLANK, Cache::Empty)?);
    starts.cold.add_time(cold(ground, programs, BLANK, Cache::Full)?);
    starts
        .cold_migrated
        .add_time(cold(ground, programs, MIGRATED, Cache::Full)?);
    cold(ground, programs, MIGRATED, Cache::WithTemplates)?;
    starts
        .cold_kept
        .add_time(cold(ground, programs, MIGRATED, Cache::WithTemplates)?);
    // The first one may be told to wait for a slice, as no suite uses blank ones.
    warm(ground, programs, BLANK)?;
    starts.warm.add_time(warm(ground, programs, BLANK)?);
    starts.warm_migrated.add_time(warm(ground, programs, MIGRATED)?);
    Ok(())
}

/// With a supervisor and a server of its own, which are gone afterwards.
pub(super) fn cold(ground: &Ground, programs: &Programs, test: &str, cache: Cache) -> Result<Duration> {
    let mut command = programs.command("timing");
    let (supervisor, command) = ground.cold(&mut command, cache);
    let time = until_reached(command, test);
    supervisor.end()?;
    time
}

fn warm(ground: &Ground, programs: &Programs, test: &str) -> Result<Duration> {
    until_reached(ground.warm(&mut programs.command("timing")), test)
}

/// Until the test says where it is. Both processes look at the same clock.
pub(super) fn until_reached(command: &mut Command, test: &str) -> Result<Duration> {
    command.args(["--exact", test, "--nocapture"]);
    let began = SystemTime::now();
    let output = passed(command)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let reached = said
        .split_once("reached=")
        .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok())
        .with_context(|| format!("the test `{test}` doesn't say when it began"))?;
    (UNIX_EPOCH + Duration::from_nanos(reached))
        .duration_since(began)
        .context("the clock was set meanwhile")
}
