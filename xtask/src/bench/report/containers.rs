//! What was measured in containers.

use super::table::{self, table};
use super::{suites, verdict};
use crate::bench::containers::{Figures, Starts};
use crate::bench::suites::Suite;

/// In milliseconds, beyond what it takes by hand.
const AIM: f64 = 300.0;

/// Each with the name of its place in the page.
pub(super) fn tables_of(figures: &Figures) -> [(&'static str, String); 3] {
    [
        (
            "containers-machine",
            table::of_facts("containers", figures.facts.iter().cloned()),
        ),
        ("containers", suites::table_of(&figures.suites, &Suite::IN_CONTAINERS)),
        ("containers-start", starts(&figures.starts)),
    ]
}

fn starts(starts: &Starts) -> String {
    let Starts { by_hand, itest, more } = starts;
    let row = |what: &str, figure: String, aim: String| vec![what.to_owned(), figure, aim];
    table(
        &["process start to the first query's answer", "ms", ""],
        [
            row(
                "`docker run`, and connecting until it works",
                by_hand.with_range(),
                String::new(),
            ),
            row(
                "itest, cold (no supervisor, no server)",
                itest.with_range(),
                String::new(),
            ),
            row(
                "more than by hand, of one round",
                more.with_range(),
                format!("at most {AIM}: {}", verdict(more.median(), AIM)),
            ),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_start_takes_beyond_that_by_hand_is_judged() {
        let judged = |itest| {
            let mut figures = Starts::default();
            figures.add(Duration::from_millis(600), Duration::from_millis(itest));
            starts(&figures)
        };
        assert!(judged(899).contains("299"), "{}", judged(899));
        assert!(judged(899).contains("at most 300: met"), "{}", judged(899));
        assert!(judged(901).contains("at most 300: **missed**"), "{}", judged(901));
    }
}
