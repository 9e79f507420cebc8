//! `cargo xtask bench`: what isolation costs, measured against tests that have none.
//!
//! Everything is measured in rounds, one after the other, so that a busy moment of the machine hits all alike; what is told
//! are medians and ranges.

mod acquire;
mod args;
mod build;
mod by_hand;
mod chart;
mod containers;
mod cpu;
mod figures;
mod folder;
mod ground;
mod janitor;
mod kinds;
mod large;
mod machine;
mod native;
mod page;
mod processes;
mod programs;
mod report;
mod schema;
mod services;
mod soak;
mod start;
mod suites;

use anyhow::Result;

use crate::need::{self, Need};
use args::{Args, Part};
use containers::Containers;
use figures::Samples;
use folder::Folder;
use native::Native;
use programs::Programs;
use report::Report;

pub(crate) const USAGE: &str = args::USAGE;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = Args::parse(args)?;
    if args.help {
        println!("{USAGE}");
        return Ok(());
    }
    if args.draw {
        return chart::write();
    }
    let mut report = Report::new(args.runs);
    let folder = Folder::create()?;
    if [
        Part::Native,
        Part::Kinds,
        Part::Large,
        Part::Services,
        Part::Containers,
        Part::Soak,
    ]
    .iter()
    .any(|part| args.has(*part))
    {
        on_servers(&args, &folder, &mut report)?;
    }
    if args.has(Part::Build) {
        machine::warn_if_busy();
        report.build = Some(build::measure(&folder, args.pace)?);
    }
    println!("\n{}", report.text());
    if args.write {
        page::write(&report)?;
        chart::write()?;
    }
    Ok(())
}

fn on_servers(args: &Args, folder: &Folder, report: &mut Report) -> Result<()> {
    need::ensure(if args.has(Part::Services) {
        Need::TEST
    } else {
        Need::DEMO
    })?;
    println!("bench: building the suites");
    let programs = Programs::build()?;
    let native = args
        .has(Part::Native)
        .then(|| Native::prepare(&programs, folder))
        .transpose()?;
    let containers = if args.has(Part::Containers) {
        Containers::find(&programs, folder)?
    } else {
        None
    };
    machine::warn_if_busy();

    report.native = native.as_ref().map(Native::figures);
    report.containers = containers.as_ref().map(Containers::figures);
    println!("bench: warming up");
    if let Some(native) = &native {
        native.warm_up(&programs)?;
    }
    if let Some(containers) = &containers {
        containers.warm_up(&programs)?;
    }
    let rounds = if native.is_some() || containers.is_some() {
        args.runs
    } else {
        0
    };
    for round in 1..=rounds {
        println!("bench: round {round} of {}", args.runs);
        if let Some((native, figures)) = native.as_ref().zip(report.native.as_mut()) {
            native.round(&programs, round, figures)?;
        }
        if let Some((containers, figures)) = containers.as_ref().zip(report.containers.as_mut()) {
            containers.round(&programs, round, figures)?;
        }
    }
    drop((native, containers));
    if args.has(Part::Kinds) {
        report.kinds = Some(kinds::measure(&programs, folder, args.runs, args.pace)?);
    }
    if args.has(Part::Large) {
        report.large = Some(large::measure(&programs, folder, args.runs, args.pace)?);
    }
    if args.has(Part::Services) {
        report.services = Some(services::measure(&programs, folder, args.runs)?);
    }
    if args.has(Part::Soak) {
        report.soak = Some(soak::measure(&programs, folder, args.pace)?);
    }
    Ok(())
}
