//! What ten thousand tests took.

use super::table::table;
use crate::bench::figures::digits;
use crate::bench::soak::{Figures, Part};
use crate::bench::suites::Runner;

pub(super) fn table_of(figures: &Figures) -> String {
    let runs = figures.runs();
    let rows = runs.into_iter().flat_map(|(runner, parts)| {
        let runner = match runner {
            Runner::Nextest => "nextest",
            Runner::CargoTest => "`cargo test`",
        };
        let tests = figures.tests / parts.len().max(1);
        chosen(parts.len()).into_iter().filter_map(move |index| {
            let part = parts.get(index)?;
            Some(row(format!("{runner}, up to test {}", tests * (index + 1)), part))
        })
    });
    table(
        &[
            "",
            "ms a test",
            "supervisor, MB",
            "server's processes, MB",
            "server's data, MB",
            "databases",
            "databases ever",
        ],
        rows,
    )
}

/// The first part, the middle and the last.
fn chosen(parts: usize) -> Vec<usize> {
    let mut chosen = vec![0, parts / 2, parts.saturating_sub(1)];
    chosen.dedup();
    chosen
}

fn row(name: String, part: &Part) -> Vec<String> {
    let Part { each, use_ } = part;
    vec![
        name,
        digits(*each),
        digits(use_.supervisor),
        digits(use_.server),
        digits(use_.data),
        use_.databases.to_string(),
        use_.made.to_string(),
    ]
}
