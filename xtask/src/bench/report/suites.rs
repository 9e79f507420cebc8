//! What a test takes in each suite.

use super::table::table;
use crate::bench::suites::{Runner, Suite, Times};

pub(super) fn table_of(times: &Times, suites: &[Suite]) -> String {
    let heads = [
        "100 tests",
        "nextest, ms a test",
        "× floor",
        "`cargo test`, ms a test",
        "× floor",
    ];
    let row = |suite: &Suite| {
        let columns = [Runner::Nextest, Runner::CargoTest].map(|runner| {
            let to_floor = match suite {
                Suite::Floor => "1".to_owned(),
                Suite::Transaction
                | Suite::Database
                | Suite::ClonePerTest
                | Suite::SqlxTest
                | Suite::ContainerPerTest => times.to_floor(*suite, runner).with_range(),
            };
            [times.each(*suite, runner).with_range(), to_floor]
        });
        [name(*suite).to_owned()]
            .into_iter()
            .chain(columns.into_iter().flatten())
            .collect()
    };
    table(&heads, suites.iter().map(row))
}

fn name(suite: Suite) -> &'static str {
    match suite {
        Suite::Floor => "floor: one shared database, plain sqlx",
        Suite::Transaction => "itest, `transaction`",
        Suite::Database => "itest, `database`",
        Suite::ClonePerTest => "a clone of a template each",
        Suite::SqlxTest => "`#[sqlx::test]`",
        Suite::ContainerPerTest => "testcontainers, a container each (20 tests)",
    }
}
