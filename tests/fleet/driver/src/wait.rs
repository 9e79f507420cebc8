//! Waiting for a condition.

use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(10);

/// Polls until `look` has an answer, and returns it.
///
/// # Panics
/// When that takes longer than `patience`; the message has the last thing that `look` said instead.
pub fn wait_until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Ok(answer) => return answer,
            Err(last) if Instant::now() > deadline => {
                panic!("{what} did not come within {patience:?}; last seen: {last}")
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}
