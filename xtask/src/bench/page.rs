//! `docs/performance.md`: its tables are written by the bench, all else by people.

use std::fs;

use anyhow::{Context, Result};

use super::report::Report;
use crate::line::root;

const PAGE: &str = "docs/performance.md";

/// Replaces what stands between the markers; a table that was not measured stays.
pub(super) fn write(report: &Report) -> Result<()> {
    let path = root().join(PAGE);
    let mut text = fs::read_to_string(&path).with_context(|| format!("failed to read {PAGE}"))?;
    for (name, table) in report.tables() {
        text = replaced(&text, name, &table).with_context(|| {
            format!("{PAGE} has no place for a table; put `<!-- bench:{name} -->` and `<!-- /bench:{name} -->` into it")
        })?;
    }
    fs::write(&path, text).with_context(|| format!("failed to write {PAGE}"))?;
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

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nz\n";
        let written = "a\n<!-- bench:x -->\nnew\n<!-- /bench:x -->\nz\n";
        assert_eq!(replaced(text, "x", "new\n").as_deref(), Some(written));
        assert_eq!(replaced(written, "x", "new\n").as_deref(), Some(written));
        assert_eq!(replaced(text, "y", "new\n"), None);
    }
}
