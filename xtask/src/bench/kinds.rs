//! What tests of each kind take on schemas of each size, in each suite.

use std::path::Path;

use anyhow::Result;

use super::args::Pace;
use super::figures::Samples;
use super::folder::Folder;
use super::ground::{DATABASES, Ground};
use super::programs::Programs;
use super::schema::Schema;
use super::suites::{self, Runner, Suite, Times};

/// What a test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Truncate,
    Ddl,
    InsertIntoLarge,
    UpdateLarge,
}

impl Kind {
    /// Those on schemas of each size.
    pub(super) const ALL: [Self; 4] = [Self::Write, Self::Read, Self::Truncate, Self::Ddl];

    /// In `BENCH_KIND`, and in the page's markers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Ddl => "ddl",
            Self::InsertIntoLarge => "insert-into-large",
            Self::UpdateLarge => "update-large",
        }
    }

    /// The floor is low for small writes alone, and that is what most tests are.
    fn runners(self) -> &'static [Runner] {
        match self {
            Self::Write => &[Runner::Nextest, Runner::CargoTest],
            Self::Read | Self::Truncate | Self::Ddl | Self::InsertIntoLarge | Self::UpdateLarge => &[Runner::Nextest],
        }
    }
}

/// Suites with as many tests as are enough to tell what one takes.
pub(super) const SUITES: [(Suite, u32); 5] = [
    (Suite::Floor, 100),
    (Suite::Transaction, 100),
    (Suite::Database, 100),
    (Suite::ClonePerTest, 40),
    (Suite::SqlxTest, 20),
];

/// Of a schema, or of what else the tests of a part differ by.
#[derive(Debug)]
pub(super) struct Figures<S = Schema>(Vec<(S, Kind, Times)>);

impl<S> Default for Figures<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Copy + PartialEq> Figures<S> {
    fn times(&self, schema: S, kind: Kind) -> Option<&Times> {
        let mut all = self.0.iter();
        all.find_map(|(of, what, times)| ((*of, *what) == (schema, kind)).then_some(times))
    }

    /// In milliseconds.
    pub(super) fn each(&self, schema: S, kind: Kind, suite: Suite, runner: Runner) -> Samples {
        self.times(schema, kind)
            .map(|times| times.each(suite, runner))
            .unwrap_or_default()
    }

    pub(super) fn to_floor(&self, schema: S, kind: Kind, suite: Suite, runner: Runner) -> Samples {
        self.times(schema, kind)
            .map(|times| times.to_floor(suite, runner))
            .unwrap_or_default()
    }
}

pub(super) fn measure(programs: &Programs, folder: &Folder, runs: usize, pace: Pace) -> Result<Figures> {
    let schemas: &[Schema] = match pace {
        Pace::Quick => &Schema::ALL[..2],
        Pace::Full => &Schema::ALL,
    };
    let bench = Bench { programs, folder, runs };
    let mut figures = Figures::default();
    for (index, schema) in schemas.iter().enumerate() {
        println!("bench: {}", schema.name());
        let name = format!("kinds-{index}");
        bench.measure(
            *schema,
            &name,
            |folder| schema.write(folder),
            (&Kind::ALL, &SUITES),
            &mut figures,
        )?;
    }
    Ok(figures)
}

/// What all kinds are measured with.
pub(super) struct Bench<'a> {
    pub(super) programs: &'a Programs,
    pub(super) folder: &'a Folder,
    pub(super) runs: usize,
}

impl Bench<'_> {
    /// Measures tests of these kinds, in each of these suites, on the schema that `write` writes migrations for.
    pub(super) fn measure<S>(
        &self,
        schema: S,
        name: &str,
        write: impl FnOnce(&Path) -> Result<()>,
        (kinds, suites): (&[Kind], &[(Suite, u32)]),
        figures: &mut Figures<S>,
    ) -> Result<()>
    where
        S: Copy,
    {
        let migrations = self.folder.join(&format!("{name}-schema"));
        write(&migrations)?;
        let settings = vec![
            ("ITEST_PROVIDER", "native".to_owned()),
            ("BENCH_SCHEMA", migrations.display().to_string()),
        ];
        let ground = Ground::prepare(self.programs, self.folder.join(name), settings, &DATABASES)?;
        for &kind in kinds {
            let mut times = Times::default();
            // What is there after the first round is kept: every template, and every program in memory.
            for round in 0..=self.runs {
                if round == 1 {
                    times = Times::default();
                }
                suites::round_of_kind(&ground, self.programs, suites, kind, kind.runners(), round, &mut times)?;
            }
            figures.0.push((schema, kind, times));
        }
        Ok(())
    }
}
