//! The tables, as a person reads them on a terminal and in `docs/performance.md` alike.

mod build;
mod containers;
mod kinds;
mod native;
mod services;
mod soak;
mod suites;
mod table;

use super::build::Builds;
use super::{
    containers as in_containers, kinds as by_kind, large as on_large_tables, native as on_processes,
    services as of_services, soak as in_the_long_run,
};

/// What was measured, and what wasn't: that is none.
pub(super) struct Report {
    runs: usize,
    pub(super) native: Option<on_processes::Figures>,
    pub(super) containers: Option<in_containers::Figures>,
    pub(super) kinds: Option<by_kind::Figures>,
    pub(super) large: Option<on_large_tables::Figures>,
    pub(super) services: Option<of_services::Figures>,
    pub(super) soak: Option<in_the_long_run::Figures>,
    pub(super) build: Option<Builds>,
}

impl Report {
    pub(super) fn new(runs: usize) -> Self {
        Self {
            runs,
            native: None,
            containers: None,
            kinds: None,
            large: None,
            services: None,
            soak: None,
            build: None,
        }
    }

    /// Each with the name of its place in the page.
    pub(super) fn tables(&self) -> Vec<(&'static str, String)> {
        let mut tables = Vec::new();
        if let Some(figures) = &self.native {
            tables.extend(native::tables_of(figures, self.runs));
        }
        if let Some(figures) = &self.containers {
            tables.extend(containers::tables_of(figures));
        }
        if let Some(figures) = &self.kinds {
            tables.extend(kinds::tables_of(figures));
        }
        if let Some(figures) = &self.large {
            tables.extend(kinds::large_tables_of(figures));
        }
        if let Some(figures) = &self.services {
            tables.push(("services", services::table_of(figures)));
        }
        if let Some(figures) = &self.soak {
            tables.push(("soak", soak::table_of(figures)));
        }
        if let Some(builds) = &self.build {
            tables.push(("build", build::table_of(builds)));
        }
        tables
    }

    pub(super) fn text(&self) -> String {
        let tables: Vec<_> = self.tables().into_iter().map(|(_, table)| table).collect();
        tables.join("\n")
    }
}

fn verdict(measured: f64, limit: f64) -> &'static str {
    if measured <= limit { "met" } else { "**missed**" }
}
