//! `docs/performance.md`: its tables are written by the bench, all else by people.

use std::fs;

use anyhow::{Context, Result};

use super::report::Report;
use crate::line::root;

const PAGE: &str = "docs/performance.md";

pub(super) fn read() -> Result<String> {
    fs::read_to_string(root().join(PAGE)).with_context(|| format!("failed to read {PAGE}"))
}

/// What stands between a place's markers.
pub(super) fn table<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("<!-- bench:{name} -->\n"))?;
    Some(rest.split_once(&format!("<!-- /bench:{name} -->"))?.0)
}

/// Replaces what stands between the markers; a table that was not measured stays.
pub(super) fn write(report: &Report) -> Result<()> {
    let mut text = read()?;
    for (name, table) in report.tables() {
        text = replaced(&text, name, &table).with_context(|| {
            format!("{PAGE} has no place for a table; put `<!-- bench:{name} -->` and `<!-- /bench:{name} -->` into it")
        })?;
    }
    fs::write(root().join(PAGE), text).with_context(|| format!("failed to write {PAGE}"))?;
    println!("bench: {PAGE} is written");
    Ok(())
}

fn replaced(text: &str, name: &str, table: &str) -> Option<String> {
    let (opening, closing) = (format!("<!-- bench:{name} -->"), format!("<!-- /bench:{name} -->"));
    let (before, rest) = text.split_once(&opening)?;
    let (_, after) = rest.split_once(&closing)?;
    Some(format!("{before}{opening}\n{table}{closing}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::build::Builds;
    use crate::bench::{containers, kinds, large, native, services, soak};

    #[test]
    fn the_page_has_a_place_for_every_table() {
        let page = fs::read_to_string(root().join(PAGE)).expect("our own page");
        let mut report = Report::new(1);
        report.native = Some(native::Figures::default());
        report.containers = Some(containers::Figures::default());
        report.kinds = Some(kinds::Figures::default());
        report.large = Some(large::Figures::default());
        report.services = Some(services::Figures::default());
        report.soak = Some(soak::Figures::default());
        report.build = Some(Builds::default());
        for (name, table) in report.tables() {
            let written = replaced(&page, name, &table).expect(name);
            assert_eq!(written.matches(&table).count(), 1, "{name}");
        }
    }

    #[test]
    fn what_was_not_measured_has_no_table_to_write() {
        let mut report = Report::new(1);
        report.build = Some(Builds::default());
        let names: Vec<_> = report.tables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["build"]);
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nz\n";
        let written = "a\n<!-- bench:x -->\nnew\n<!-- /bench:x -->\nz\n";
        assert_eq!(replaced(text, "x", "new\n").as_deref(), Some(written));
        assert_eq!(replaced(written, "x", "new\n").as_deref(), Some(written));
        assert_eq!(replaced(text, "y", "new\n"), None);
    }
}
