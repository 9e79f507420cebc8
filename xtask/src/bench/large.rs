//! What tests take that change one row of a table which is large.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::args::Pace;
use super::figures::Samples;
use super::folder::Folder;
use super::ground::Ground;
use super::kinds::Kind;
use super::programs::Programs;
use super::suites::{self, Runner, Suite, Times};

/// Of the table, without its index.
pub(super) const MEGABYTES: [u32; 3] = [10, 100, 1000];
pub(super) const KINDS: [Kind; 2] = [Kind::InsertIntoLarge, Kind::UpdateLarge];
/// `#[sqlx::test]` would fill the table for each test.
pub(super) const SUITES: [(Suite, u32); 4] = [
    (Suite::Floor, 100),
    (Suite::Transaction, 100),
    (Suite::Database, 40),
    (Suite::ClonePerTest, 20),
];
/// With what PostgreSQL itself adds to a row, and without the pages' own heads: 160 bytes a row.
const ROWS_A_MEGABYTE: u32 = 6_554;

#[derive(Debug, Default)]
pub(super) struct Figures(Vec<(u32, Kind, Times)>);

impl Figures {
    fn times(&self, megabytes: u32, kind: Kind) -> Option<&Times> {
        let mut all = self.0.iter();
        all.find_map(|(of, what, times)| ((*of, *what) == (megabytes, kind)).then_some(times))
    }

    /// In milliseconds.
    pub(super) fn each(&self, megabytes: u32, kind: Kind, suite: Suite) -> Samples {
        let times = self.times(megabytes, kind);
        times
            .map(|times| times.each(suite, Runner::Nextest))
            .unwrap_or_default()
    }

    pub(super) fn to_floor(&self, megabytes: u32, kind: Kind, suite: Suite) -> Samples {
        let times = self.times(megabytes, kind);
        times
            .map(|times| times.to_floor(suite, Runner::Nextest))
            .unwrap_or_default()
    }
}

pub(super) fn measure(programs: &Programs, folder: &Folder, runs: usize, pace: Pace) -> Result<Figures> {
    let sizes = match pace {
        Pace::Quick => &MEGABYTES[..1],
        Pace::Full => &MEGABYTES,
    };
    let mut figures = Figures::default();
    for &megabytes in sizes {
        println!("bench: a table of {megabytes} MB");
        let migrations = folder.join(&format!("large-schema-{megabytes}"));
        write_migration(&migrations, megabytes)?;
        let settings = vec![
            ("ITEST_PROVIDER", "native".to_owned()),
            ("BENCH_SCHEMA", migrations.display().to_string()),
        ];
        let ground = Ground::prepare(programs, folder.join(&format!("large-{megabytes}")), settings)?;
        for kind in KINDS {
            let mut times = Times::default();
            for round in 0..=runs {
                // The first one fills the templates.
                if round == 1 {
                    times = Times::default();
                }
                suites::round_of_kind(&ground, programs, &SUITES, kind, &[Runner::Nextest], round, &mut times)?;
            }
            figures.0.push((megabytes, kind, times));
        }
    }
    Ok(figures)
}

fn write_migration(folder: &Path, megabytes: u32) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let sql = format!(
        "CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), body text NOT NULL);\n\
         INSERT INTO events (body) SELECT repeat(md5(g::text), 3) || 'and so on' FROM generate_series(1, {}) AS g;\n",
        megabytes * ROWS_A_MEGABYTE
    );
    let path = folder.join("0001_events.sql");
    fs::write(&path, sql).with_context(|| format!("failed to write {}", path.display()))
}
