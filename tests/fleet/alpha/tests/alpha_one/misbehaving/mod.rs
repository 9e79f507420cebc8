//! Tests that visit like all others, and then, when they are asked to, make all the mess that a test can make.

mod fails;
mod passes;

use fleet_probe::{Manners, visit};
use redis::Client;
use sqlx::PgPool;

/// Visits; answers whether to go on with the mess, for which `manners` must be bad enough.
async fn visit_then(misbehave: Manners, test: &str, db: &PgPool, cache: &Client) -> anyhow::Result<bool> {
    visit(&format!("{}::{test}", module_path!()), db, cache).await?;
    Ok(Manners::asked() >= misbehave)
}
