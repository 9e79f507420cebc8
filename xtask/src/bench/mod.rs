//! `cargo xtask bench`: what isolation costs, measured against tests that have none.
//!
//! Everything is measured in rounds, one after the other, so that a busy moment of the machine hits all alike; what is told
//! are medians and ranges.

mod acquire;
mod args;
mod build;
mod figures;
mod folder;
mod ground;
mod machine;
mod page;
mod programs;
mod report;
mod start;
mod suites;

use anyhow::Result;

use crate::need::{self, Need};
use args::Args;
use figures::Samples;
use folder::Folder;
use ground::Ground;
use programs::Programs;
use report::Report;

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
    machine::warn_if_busy();

    let mut report = Report::new(machine::facts(&ground.server_version), args.runs);
    warm_up(&ground, &programs)?;
    for round in 1..=args.runs {
        println!("bench: round {round} of {}", args.runs);
        suites::round(&ground, &programs, round, &mut report.suites)?;
        start::round(&ground, &programs, &mut report.starts)?;
        acquire::round(&ground, &programs, &mut report.acquired)?;
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
fn warm_up(ground: &Ground, programs: &Programs) -> Result<()> {
    println!("bench: warming up");
    suites::round(ground, programs, 0, &mut suites::Times::default())
}
