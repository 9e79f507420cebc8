//! On processes of this machine: the suites, and what a test waits for before it begins.

use anyhow::Result;

use super::acquire::{self, Acquired};
use super::cpu::{self, Cpu};
use super::folder::Folder;
use super::ground::{DATABASES, Ground};
use super::machine;
use super::programs::Programs;
use super::start::{self, Starts};
use super::suites::{self, Suite, Times};

pub(super) struct Native {
    ground: Ground,
}

#[derive(Default)]
pub(super) struct Figures {
    /// What was measured on: names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) suites: Times,
    pub(super) starts: Starts,
    pub(super) acquired: Acquired,
    pub(super) cpu: Cpu,
}

impl Native {
    pub(super) fn prepare(programs: &Programs, folder: &Folder) -> Result<Self> {
        // Said, as otherwise an engine that answers is preferred.
        let settings = vec![("ITEST_PROVIDER", "native".to_owned())];
        let ground = Ground::prepare(programs, folder.join("native"), settings, &DATABASES)?;
        Ok(Self { ground })
    }

    /// None yet, but what they are measured on.
    pub(super) fn figures(&self) -> Figures {
        Figures {
            facts: machine::facts(self.ground.server_version()),
            ..Figures::default()
        }
    }

    /// Every template is built, every pool filled and every file read once before anything is measured.
    pub(super) fn warm_up(&self, programs: &Programs) -> Result<()> {
        suites::round(&self.ground, programs, &Suite::ANYWHERE, 0, &mut Times::default())
    }

    pub(super) fn round(&self, programs: &Programs, round: usize, figures: &mut Figures) -> Result<()> {
        suites::round(&self.ground, programs, &Suite::ANYWHERE, round, &mut figures.suites)?;
        start::round(&self.ground, programs, &mut figures.starts)?;
        acquire::round(&self.ground, programs, &mut figures.acquired)?;
        cpu::round(&self.ground, programs, &mut figures.cpu)
    }
}
