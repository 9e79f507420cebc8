//! The wall's clock: a test may have paused tokio's, which then jumps ahead whenever nothing else is to be done.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Awaits `future` for at most `limit`.
///
/// # Errors
/// When it took longer.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (_over, is_over) = mpsc::channel::<()>();
    let (ring, alarm) = oneshot::channel();
    let watch = thread::Builder::new().name("itest-clock".to_owned());
    let watching = watch.spawn(move || {
        // When the other end is dropped, nobody waits any more.
        if is_over.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = ring.send(());
        }
    });
    if watching.is_err() {
        // The system gives no more threads: tokio's clock is better than none.
        return tokio::time::timeout(limit, future).await.map_err(|_| Elapsed);
    }
    tokio::select! {
        biased;
        outcome = future => Ok(outcome),
        Ok(()) = alarm => Err(Elapsed),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up() {
        let began = Instant::now();
        let limit = Duration::from_millis(20);
        assert_eq!(timeout(limit, std::future::pending::<()>()).await, Err(Elapsed));
        assert!(began.elapsed() >= limit);
    }

    #[tokio::test]
    async fn what_ends_in_time_is_returned() {
        assert_eq!(timeout(Duration::from_hours(1), async { 1 }).await, Ok(1));
    }
}
