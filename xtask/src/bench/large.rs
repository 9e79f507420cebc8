//! What tests take that change one row of a table which is large.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::args::Pace;
use super::folder::Folder;
use super::kinds::{self, Bench, Kind};
use super::programs::Programs;
use super::suites::Suite;

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

/// By megabytes.
pub(super) type Figures = kinds::Figures<u32>;

pub(super) fn measure(programs: &Programs, folder: &Folder, runs: usize, pace: Pace) -> Result<Figures> {
    let sizes = match pace {
        Pace::Quick => &MEGABYTES[..1],
        Pace::Full => &MEGABYTES,
    };
    let bench = Bench { programs, folder, runs };
    let mut figures = Figures::default();
    for &megabytes in sizes {
        println!("bench: a table of {megabytes} MB");
        let name = format!("large-{megabytes}");
        let write = |folder: &Path| write_migration(folder, megabytes);
        bench.measure(megabytes, &name, write, (&KINDS, &SUITES), &mut figures)?;
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
