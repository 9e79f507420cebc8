//! The same in containers, if there can be any: the suites once more, and the way to a server beside that by hand.

use std::time::Duration;

use anyhow::Result;

use super::by_hand::Model;
use super::figures::Samples;
use super::folder::Folder;
use super::ground::{Cache, DATABASES, Ground};
use super::janitor::Janitor;
use super::programs::Programs;
use super::start;
use super::suites::{self, Suite, Times};
use crate::images;
use crate::line::Line;

/// A test that reaches its body, and asks its empty database something: as far as one gets by hand.
const QUERY: &str = "start_query";

pub(super) struct Containers {
    ground: Ground,
    /// What the suites without itest are to be compared with.
    model: Model,
    /// Removes what is there without itest.
    janitor: Janitor,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What was measured on: names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) suites: Times,
    pub(super) starts: Starts,
}

/// From the start of a process to its first query's answer, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Starts {
    pub(super) by_hand: Samples,
    pub(super) itest: Samples,
    /// By how much itest takes longer than it took by hand in the same round.
    pub(super) more: Samples,
}

impl Containers {
    /// None where there can't be any; the reason is said.
    pub(super) fn find(programs: &Programs, folder: &Folder) -> Result<Option<Self>> {
        match look() {
            Ok(()) => Self::prepare(programs, folder).map(Some),
            Err(why) => {
                println!("bench: skipped: containers: {why}");
                Ok(None)
            }
        }
    }

    fn prepare(programs: &Programs, folder: &Folder) -> Result<Self> {
        let janitor = Janitor::start()?;
        let mut settings = vec![
            ("ITEST_PROVIDER", "docker".to_owned()),
            ("BENCH_LABEL", janitor.label().to_owned()),
        ];
        settings.extend(images::environment());
        let ground = Ground::prepare(programs, folder.join("docker"), settings, &DATABASES)?;
        let model = Model::of(ground.floor_url())?;
        Ok(Self { ground, model, janitor })
    }

    /// None yet, but what they are measured on.
    pub(super) fn figures(&self) -> Figures {
        let said = |args: [&str; 3]| Line::new("docker", args).said().unwrap_or_else(|| "unknown".to_owned());
        let engine = said(["version", "--format", "Docker {{.Server.Version}}"]);
        let storage = said(["info", "--format", "{{.Driver}}"]);
        let facts = vec![
            ("engine", format!("{engine}, {storage}")),
            ("image", self.model.image().to_owned()),
            ("PostgreSQL", self.ground.server_version().to_owned()),
        ];
        Figures {
            facts,
            ..Figures::default()
        }
    }

    /// As the bench does on the other ground.
    pub(super) fn warm_up(&self, programs: &Programs) -> Result<()> {
        suites::round(&self.ground, programs, &Suite::ANYWHERE, 0, &mut Times::default())?;
        self.start(programs, 0, &mut Starts::default())
    }

    pub(super) fn round(&self, programs: &Programs, round: usize, figures: &mut Figures) -> Result<()> {
        let suites = suites::round(
            &self.ground,
            programs,
            &Suite::IN_CONTAINERS,
            round,
            &mut figures.suites,
        );
        // Also what a failure has left.
        self.janitor.sweep()?;
        suites?;
        self.start(programs, round, &mut figures.starts)
    }

    /// Both ways, in turns.
    fn start(&self, programs: &Programs, round: usize, starts: &mut Starts) -> Result<()> {
        let by_hand = || self.model.start(programs, &self.janitor);
        let itest = || start::cold(&self.ground, programs, QUERY, Cache::Full);
        let (by_hand, itest) = if round.is_multiple_of(2) {
            let first = by_hand()?;
            (first, itest()?)
        } else {
            let first = itest()?;
            (by_hand()?, first)
        };
        starts.add(by_hand, itest);
        Ok(())
    }
}

/// Whether there are an engine and our images; if not, why.
fn look() -> Result<(), String> {
    images::engine()?;
    images::ensure().map_err(|error| format!("{error:#}"))
}

impl Starts {
    pub(super) fn add(&mut self, by_hand: Duration, itest: Duration) {
        self.by_hand.add_time(by_hand);
        self.itest.add_time(itest);
        self.more.add((itest.as_secs_f64() - by_hand.as_secs_f64()) * 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_that_of_one_round_and_may_be_less_than_nothing() {
        let mut starts = Starts::default();
        for (by_hand, itest) in [(500, 700), (900, 850), (600, 610)] {
            starts.add(Duration::from_millis(by_hand), Duration::from_millis(itest));
        }
        assert!((starts.more.median() - 10.0).abs() < 1e-6, "{:?}", starts.more);
    }
}
