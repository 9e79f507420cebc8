//! What was measured on: enough to compare, and nothing that names a machine.

use std::fs;
use std::thread::available_parallelism;

use crate::line::Line;

/// Names and values.
pub(super) fn facts(server_version: &str) -> Vec<(&'static str, String)> {
    let said = |program: &str| {
        let said = Line::new(program, ["--version"]).said().unwrap_or_default();
        said.lines().next().unwrap_or_default().to_owned()
    };
    let unknown = || "unknown".to_owned();
    vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("memory", memory().unwrap_or_else(unknown)),
        ("system", system().unwrap_or_else(unknown)),
        ("PostgreSQL", server_version.to_owned()),
        ("Rust", said("rustc")),
        ("runner", said("cargo-nextest")),
    ]
}

/// Says so when the machine has other things to do: the figures are then worth little.
pub(super) fn warn_if_busy() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let recent: Option<f64> = load.split(' ').next().and_then(|load| load.parse().ok());
    if let Some(recent) = recent.filter(|load| *load > 1.5) {
        println!(
            "bench: this machine is busy (load {recent}; building the suites may be a part of it): figures will vary"
        );
    }
}

fn processor() -> Option<String> {
    let cores = available_parallelism().ok()?;
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1))
        .unwrap_or(std::env::consts::ARCH);
    Some(format!("{model}, {cores} cores"))
}

fn memory() -> Option<String> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total: u64 = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    Some(format!("{} GiB", total.div_ceil(1 << 20)))
}

fn system() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let version: Vec<_> = release.trim().split(['.', '-']).take(2).collect();
    Some(format!("Linux {}", version.join(".")))
}
