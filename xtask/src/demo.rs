//! `cargo xtask demo`: the example's tests on real servers.

use anyhow::Result;

use crate::line::Line;
use crate::need::{self, Need};
use crate::test::{self, Containers};

pub(crate) fn run(extra: &[String]) -> Result<()> {
    need::ensure(Need::DEMO)?;
    let line = Line::cargo(["nextest", "run", "-p", "orders"]).args(extra);
    let line = test::native(
        line,
        &Containers::NotThere("the example has none of its own".to_owned()),
    );
    println!("running: {line}");
    line.run()
}
