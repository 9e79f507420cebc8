//! `cargo xtask demo`: the example's tests on real servers.

use anyhow::Result;

use crate::line::Line;
use crate::need::{self, Need};

pub(crate) fn run(extra: &[String]) -> Result<()> {
    need::ensure(Need::DEMO)?;
    let line = Line::cargo(["nextest", "run", "-p", "orders"]).args(extra);
    println!("running: {line}");
    line.run()
}
