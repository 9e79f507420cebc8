//! Waiting for what another process does: never longer than it takes, and what was seen last is said when time is up.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long anything here may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(10);

/// Polls until `missing` finds nothing any more.
///
/// # Panics
/// When [`PATIENCE`] is at its end; it says what was missing last.
pub async fn wait_until(wanted: &str, mut missing: impl FnMut() -> Option<String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(last) = missing() {
        assert!(Instant::now() < deadline, "waited in vain: {wanted}; {last}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Polls until it succeeds.
///
/// # Panics
/// When [`PATIENCE`] is at its end; it says what went wrong last.
pub async fn wait_for<T, E: Display>(wanted: &str, mut poll: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match poll().await {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < deadline, "waited in vain: {wanted}; {last:#}"),
        }
        tokio::time::sleep(LOOK).await;
    }
}
