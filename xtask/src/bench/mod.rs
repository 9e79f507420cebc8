//! `cargo xtask bench`: what isolation costs, measured against tests that have none.
//!
//! Everything is measured in rounds, one after the other, so that a busy moment of the machine hits all alike; what is told
//! are medians and ranges.

mod acquire;
mod args;
mod build;
mod by_hand;
mod containers;
mod figures;
mod folder;
mod ground;
mod janitor;
mod machine;
mod page;
mod programs;
mod report;
mod start;
mod suites;

use anyhow::Result;

use crate::need::{self, Need};
use args::Args;
use containers::Containers;
use figures::Samples;
use folder::Folder;
use ground::Ground;
use programs::Programs;
use report::Report;
use suites::Suite;

pub(crate) const USAGE: &str = args::USAGE;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = Args::parse(args)?;
    if args.help {
        println!("{USAGE}");
        return Ok(());
    }
    need::ensure(Need::DEMO)?;
    println!("bench: building the suites");
    let programs = Programs::build()?;
    let folder = Folder::create()?;
    // Said, as otherwise an engine that answers is preferred.
    let native = vec![("ITEST_PROVIDER", "native".to_owned())];
    let ground = Ground::prepare(&programs, folder.join("native"), native)?;
    let containers = Containers::find(&programs, &folder)?;
    machine::warn_if_busy();

    let mut report = Report::new(machine::facts(&ground.server_version), args.runs);
    report.containers = containers.as_ref().map(Containers::figures);
    warm_up(&ground, &programs, containers.as_ref())?;
    for round in 1..=args.runs {
        println!("bench: round {round} of {}", args.runs);
        suites::round(&ground, &programs, &Suite::ANYWHERE, round, &mut report.suites)?;
        start::round(&ground, &programs, &mut report.starts)?;
        acquire::round(&ground, &programs, &mut report.acquired)?;
        if let Some((containers, figures)) = containers.as_ref().zip(report.containers.as_mut()) {
            containers.round(&programs, round, figures)?;
        }
    }
    if args.build {
        report.build = Some(build::measure(&folder, args.pace)?);
    }
    println!("\n{}", report.text());
    if args.write {
        page::write(&report)?;
    }
    Ok(())
}

/// Every template is built, every pool filled and every file read once before anything is measured.
fn warm_up(ground: &Ground, programs: &Programs, containers: Option<&Containers>) -> Result<()> {
    println!("bench: warming up");
    suites::round(ground, programs, &Suite::ANYWHERE, 0, &mut suites::Times::default())?;
    containers.map_or(Ok(()), |containers| containers.warm_up(programs))
}
