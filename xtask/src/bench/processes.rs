//! The processes behind the tests, as `/proc` tells of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::ground::Ground;

/// Those of a ground, by their pids.
pub(super) struct Processes {
    pub(super) supervisor: String,
    pub(super) server: String,
    /// Where the server keeps its data.
    pub(super) data: PathBuf,
}

impl Processes {
    pub(super) fn of(ground: &Ground) -> Result<Self> {
        let supervisor = ground.supervisor().context("the supervisor's state can't be read")?;
        let of_supervisor = children(&supervisor).into_iter();
        let mut servers = of_supervisor.filter_map(|pid| Some((data_folder(&pid)?, pid)));
        // The one that tests share, and not the one that was leased to those without itest.
        let url = ground.floor_url().replace("%2F", "/").replace("%2D", "-");
        let is_shared = |data: &Path| {
            data.parent()
                .is_some_and(|place| url.contains(&place.display().to_string()))
        };
        let (data, server) = servers
            .find(|(data, _)| is_shared(data))
            .context("the supervisor has no PostgreSQL server")?;
        Ok(Self {
            supervisor,
            server,
            data,
        })
    }

    /// The processor's time that the supervisor and the server have had, in milliseconds: the server's with all its processes,
    /// those that have ended, too.
    pub(super) fn cpu(&self) -> (f64, f64) {
        let server = children(&self.server).iter().map(|pid| cpu(pid).own).sum::<f64>();
        let CpuTime { own, reaped } = cpu(&self.server);
        (cpu(&self.supervisor).own, server + own + reaped)
    }
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CpuTime {
    pub(super) own: f64,
    /// Of children that have ended and were waited for.
    pub(super) reaped: f64,
}

/// Linux counts in hundredths of a second, whatever the kernel's own clock does.
pub(super) fn cpu(pid: &str) -> CpuTime {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let mut ticks = fields
        .split(' ')
        .skip(11)
        .map(|ticks| ticks.parse::<f64>().unwrap_or_default() * 10.0);
    let mut next = || ticks.next().unwrap_or_default();
    CpuTime {
        own: next() + next(),
        reaped: next() + next(),
    }
}

pub(super) fn children(parent: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().into_string().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        (rest.split(' ').nth(1)? == parent).then_some(pid)
    })
    .collect()
}

/// What follows `-D` in a PostgreSQL server's command line.
fn data_folder(pid: &str) -> Option<PathBuf> {
    let line = fs::read_to_string(Path::new("/proc").join(pid).join("cmdline")).ok()?;
    let mut args = line.split('\0').skip_while(|arg| *arg != "-D");
    args.nth(1).map(PathBuf::from)
}
